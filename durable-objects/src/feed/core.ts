import type { LogBatch, LogEntry } from "@acme/sdk/contract";
import type { LiveLogLine } from "@acme/sdk/contract/live";
import type { Sql } from "../lib/sql.ts";
import type { LogPage } from "./rpc.ts";

/** Entries kept of one run: the latest. */
const MAX_LOGS = 10_000;

interface LogRow {
  attempt: number;
  time: number;
  level: LogEntry["level"];
  message: string;
  properties: string | null;
  id: number;
  [column: string]: string | number | null;
}

/** Stores entries, but none of a batch that is stored already: its sender did not get the answer and sends it again. */
export function appendLogs(sql: Sql, attempt: number, entries: LogEntry[], batch?: LogBatch): void {
  sql.transaction(() => {
    if (batch && !isNew(sql, batch)) return;
    for (const entry of entries) {
      sql.exec(
        "INSERT INTO logs (attempt, time, level, message, properties) VALUES (?, ?, ?, ?, ?)",
        attempt,
        entry.time,
        entry.level,
        entry.message,
        entry.properties ? JSON.stringify(entry.properties) : null,
      );
    }
    sql.exec("DELETE FROM logs WHERE id <= (SELECT max(id) FROM logs) - ?", MAX_LOGS);
  });
}

/** Whether a batch is none of those that are stored; it is then noted as stored. A sender numbers its batches in order. */
function isNew(sql: Sql, { sender, number }: LogBatch): boolean {
  const known = sql.exec<{ last: number }>("SELECT last FROM log_batches WHERE sender = ?", sender)[0];
  if (known && number <= known.last) return false;
  sql.exec(
    "INSERT INTO log_batches (sender, last) VALUES (?, ?) ON CONFLICT (sender) DO UPDATE SET last = excluded.last",
    sender,
    number,
  );
  return true;
}

/** The latest entries, oldest first. */
export function listLogs(sql: Sql, limit: number): { attempt: number; entry: LogEntry }[] {
  const rows = sql.exec<LogRow>(
    `SELECT id, attempt, time, level, message, properties FROM
       (SELECT * FROM logs ORDER BY id DESC LIMIT ?) ORDER BY id`,
    limit,
  );
  return rows.map((row) => ({ attempt: row.attempt, entry: entryOf(row) }));
}

/** Sequence number of the last line; 0 without lines. */
export const lastLine = (sql: Sql): number =>
  sql.exec<{ id: number | null }>("SELECT max(id) AS id FROM logs")[0]?.id ?? 0;

/** Lines after `after`, oldest first. Where lines are no longer kept, it begins at the first that is. */
export function logsAfter(sql: Sql, after: number, limit: number): LogPage {
  const rows = sql.exec<LogRow>(
    "SELECT id, attempt, time, level, message, properties FROM logs WHERE id > ? ORDER BY id LIMIT ?",
    after,
    limit,
  );
  const lines = rows.map((row): LiveLogLine => ({ seq: row.id, attempt: row.attempt, ...entryOf(row) }));
  return { previous: lines[0] ? lines[0].seq - 1 : after, lines };
}

const entryOf = ({ time, level, message, properties }: LogRow): LogEntry => ({
  time,
  level,
  message,
  ...(properties ? { properties: JSON.parse(properties) as Record<string, unknown> } : {}),
});
