import { type LogBatch, type LogEntry, TELEMETRY_LIMITS } from "@acme/sdk/contract";
import type { LiveLogLine } from "@acme/sdk/contract/live";
import type { Sql } from "../lib/sql.ts";
import { type Earlier, noteBatch } from "./batches.ts";
import type { LogFilter, LogPage, NamedLogs, StoredLogs } from "./rpc.ts";
import { addToTotal, totalOf } from "./totals.ts";

interface LogRow {
  attempt: number;
  time: number;
  level: LogEntry["level"];
  message: string;
  properties: string | null;
  trace_id: string | null;
  span_id: string | null;
  id: number;
  [column: string]: string | number | null;
}

const COLUMNS = "id, attempt, time, level, message, properties, trace_id, span_id";
/** Roughly the bytes of a line in addition to its texts. */
const LINE_BYTES = 40;
/** The number of lines that are deleted at once. */
const DELETE_AT_ONCE = 1_000;
/** The number of characters of one page. */
const PAGE_CHARACTERS = 8 * 1024 * 1024;

/**
 * Stores entries, unless their batch is stored already and its sender repeats it because it did not get the
 * answer. Returns the number of the first line; 0 if it is no longer known.
 */
export function appendLogs(
  sql: Sql,
  attempt: number,
  entries: LogEntry[],
  batch?: LogBatch,
  maxBytes: number = TELEMETRY_LIMITS.logBytesPerRun,
): number {
  return sql.transaction(() => {
    const next = lastLine(sql) + 1;
    const { isNew, first } = batch ? noteBatch(sql, batch, next) : { isNew: true, first: next };
    if (isNew) insertLines(sql, attempt, entries, next, maxBytes);
    return first;
  });
}

/**
 * Stores several batches, in their order, each as {@link appendLogs} does. All of them can be sent again, also together with
 * later ones: each then has the number that it had.
 */
export function appendLogBatches(sql: Sql, batches: NamedLogs[]): number[] {
  return sql.transaction(() => {
    const earlier = new Map<string, Earlier>();
    return batches.map(({ attempt, entries, batch }) => {
      const next = lastLine(sql) + 1;
      const before = earlier.get(batch.sender) ?? [];
      earlier.set(batch.sender, before);
      const { isNew, first } = noteBatch(sql, batch, next, before);
      if (isNew) insertLines(sql, attempt, entries, next, TELEMETRY_LIMITS.logBytesPerRun);
      before.push([batch.number, first]);
      return first;
    });
  });
}

function insertLines(sql: Sql, attempt: number, entries: LogEntry[], first: number, maxBytes: number): void {
  let bytes = 0;
  let id = first;
  for (const entry of entries) {
    const properties = entry.properties ? JSON.stringify(entry.properties) : null;
    sql.exec(
      `INSERT INTO logs (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      attempt,
      entry.time,
      entry.level,
      entry.message,
      properties,
      entry.traceId ?? null,
      entry.spanId ?? null,
    );
    id += 1;
    bytes += entry.message.length + (properties?.length ?? 0) + LINE_BYTES;
  }
  addToTotal(sql, "log_bytes", bytes);
  if (totalOf(sql, "log_bytes") > maxBytes) dropOldest(sql, maxBytes);
}

/**
 * Deletes the oldest lines until the others fit, but never the newest one, from which the next line's number
 * is derived.
 */
function dropOldest(sql: Sql, maxBytes: number): void {
  const last = lastLine(sql);
  let bytes = totalOf(sql, "log_bytes");
  const before = bytes;
  let dropped = 0;
  while (bytes > maxBytes) {
    const rows = sql.exec<{ id: number; bytes: number }>(
      `SELECT id, length(message) + coalesce(length(properties), 0) + ${LINE_BYTES} AS bytes FROM logs WHERE id < ? ORDER BY id LIMIT ? + 0`,
      last,
      DELETE_AT_ONCE,
    );
    if (rows.length === 0) break;
    let upTo = 0;
    for (const row of rows) {
      if (bytes <= maxBytes) break;
      upTo = row.id;
      bytes -= row.bytes;
      dropped += 1;
    }
    sql.exec("DELETE FROM logs WHERE id <= ?", upTo);
  }
  addToTotal(sql, "log_bytes", bytes - before);
  addToTotal(sql, "logs_dropped", dropped);
}

/** Returns the sequence number of the last line; 0 without lines. */
export const lastLine = (sql: Sql): number =>
  sql.exec<{ id: number | null }>("SELECT max(id) AS id FROM logs")[0]?.id ?? 0;

/**
 * Returns lines after `after`, oldest first. If lines are no longer kept, it begins at the first kept one.
 */
export function logsAfter(sql: Sql, after: number, limit: number): LogPage {
  const lines = sql
    .exec<LogRow>(`SELECT ${COLUMNS} FROM logs WHERE id > ? ORDER BY id LIMIT ? + 0`, after, limit)
    .map(lineOf);
  return { previous: lines[0] ? lines[0].seq - 1 : after, lines };
}

/** Returns a page of the lines that match a filter, oldest first. */
export function listLogs(sql: Sql, { after, limit, levels, text, last }: LogFilter): StoredLogs {
  const conditions = ["id > ?"];
  const values: (string | number)[] = [after];
  if (levels) {
    conditions.push(`level IN (${levels.map(() => "?").join(", ")})`);
    values.push(...levels);
  }
  if (text) {
    conditions.push("instr(lower(message), ?) > 0");
    values.push(text.toLowerCase());
  }
  const rows = sql.exec<LogRow>(
    `SELECT ${COLUMNS} FROM logs WHERE ${conditions.join(" AND ")} ORDER BY id ${last ? "DESC" : ""} LIMIT ? + 0`,
    ...values,
    limit,
  );
  const lines: LiveLogLine[] = [];
  let characters = 0;
  for (const row of last ? rows.reverse() : rows) {
    lines.push(lineOf(row));
    characters += row.message.length + (row.properties?.length ?? 0);
    if (characters >= PAGE_CHARACTERS && !last) break;
  }
  const isPage = lines.length === limit || lines.length < rows.length;
  return {
    lines,
    next: isPage ? (lines.at(-1)?.seq ?? null) : null,
    dropped: totalOf(sql, "logs_dropped"),
  };
}

const lineOf = (row: LogRow): LiveLogLine => ({
  seq: row.id,
  attempt: row.attempt,
  time: row.time,
  level: row.level,
  message: row.message,
  ...(row.properties ? { properties: JSON.parse(row.properties) as Record<string, unknown> } : {}),
  ...(row.trace_id ? { traceId: row.trace_id } : {}),
  ...(row.span_id ? { spanId: row.span_id } : {}),
});
