import { STREAM_LIMITS } from "@acme/sdk/contract";
import type { Sql } from "../lib/sql.ts";
import type { AppendRecords, AppendResult, StreamRecord } from "./rpc.ts";

interface StreamRow {
  next_seq: number;
  bytes: number;
  [column: string]: number;
}

/**
 * Appends records to a stream of a run, all or none, in the transaction of the caller. A writer's line that
 * is stored already is skipped: the number of the writer's last line is stored together with the records.
 */
export function appendRecords(
  sql: Sql,
  key: string,
  { writer, records }: AppendRecords,
  now: number,
): AppendResult {
  const stream = sql.exec<StreamRow>("SELECT next_seq, bytes FROM streams WHERE key = ?", key)[0];
  if (!stream) {
    const { count } = sql.exec<{ count: number }>("SELECT count(*) AS count FROM streams")[0] ?? { count: 0 };
    if (count >= STREAM_LIMITS.streamsPerRun) {
      return tooLarge(`A run has at most ${STREAM_LIMITS.streamsPerRun} streams.`);
    }
    sql.exec("INSERT INTO streams (key, next_seq, bytes) VALUES (?, 0, 0)", key);
  }
  const last = writer ? lastIndexOf(sql, key, writer.id) : -1;
  const fresh = writer ? records.slice(Math.max(0, last + 1 - writer.from)) : records;
  if (fresh.length === 0) return { lastIndex: last, created: !stream };
  let seq = stream?.next_seq ?? 0;
  let bytes = stream?.bytes ?? 0;
  for (const body of fresh) bytes += body.length;
  if (bytes > STREAM_LIMITS.streamCharacters || seq + fresh.length > STREAM_LIMITS.recordsPerStream) {
    return tooLarge(
      `A stream has at most ${STREAM_LIMITS.recordsPerStream} records and ${STREAM_LIMITS.streamCharacters} characters. Nothing of this was stored.`,
    );
  }
  for (const body of fresh) {
    sql.exec("INSERT INTO records (stream, seq, time, body) VALUES (?, ?, ?, ?)", key, seq, now, body);
    seq += 1;
  }
  sql.exec("UPDATE streams SET next_seq = ?, bytes = ? WHERE key = ?", seq, bytes, key);
  if (!writer) return { lastIndex: seq - 1, created: !stream };
  const lastIndex = writer.from + records.length - 1;
  sql.exec(
    "INSERT INTO writers (stream, client, last_index) VALUES (?, ?, ?) ON CONFLICT (stream, client) DO UPDATE SET last_index = excluded.last_index",
    key,
    writer.id,
    lastIndex,
  );
  return { lastIndex, created: !stream };
}

const tooLarge = (message: string): AppendResult => ({ error: message });

/** Returns the number of a writer's last stored line; -1 if none is stored. */
export const lastIndexOf = (sql: Sql, key: string, writer: string): number =>
  sql.exec<{ last_index: number }>(
    "SELECT last_index FROM writers WHERE stream = ? AND client = ?",
    key,
    writer,
  )[0]?.last_index ?? -1;

/** Returns the number of the last record; -1 for an empty stream. */
export const lastRecordOf = (sql: Sql, key: string): number =>
  (sql.exec<{ next_seq: number }>("SELECT next_seq FROM streams WHERE key = ?", key)[0]?.next_seq ?? 0) - 1;

/** Returns records after `after`: at least one, and no more than `characters`. */
export function recordsAfter(sql: Sql, key: string, after: number, characters: number): StreamRecord[] {
  const rows = sql.exec<{ seq: number; time: number; body: string }>(
    "SELECT seq, time, body FROM records WHERE stream = ? AND seq > ? ORDER BY seq LIMIT 500",
    key,
    after,
  );
  let left = characters;
  const enough = rows.findIndex(({ body }) => {
    left -= body.length;
    return left <= 0;
  });
  return enough < 0 ? rows : rows.slice(0, enough + 1);
}
