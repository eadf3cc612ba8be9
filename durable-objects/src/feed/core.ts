import type { LogEntry } from "@acme/sdk/contract";
import type { Sql } from "../lib/sql.ts";

/** Entries kept of one run: the latest. */
const MAX_LOGS = 10_000;

interface LogRow {
  attempt: number;
  time: number;
  level: LogEntry["level"];
  message: string;
  properties: string | null;
  [column: string]: string | number | null;
}

export function appendLogs(sql: Sql, attempt: number, entries: LogEntry[]): void {
  sql.transaction(() => {
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

/** The latest entries, oldest first. */
export function listLogs(sql: Sql, limit: number): { attempt: number; entry: LogEntry }[] {
  const rows = sql.exec<LogRow>(
    `SELECT attempt, time, level, message, properties FROM
       (SELECT * FROM logs ORDER BY id DESC LIMIT ?) ORDER BY id`,
    limit,
  );
  return rows.map(({ attempt, time, level, message, properties }) => ({
    attempt,
    entry: {
      time,
      level,
      message,
      ...(properties ? { properties: JSON.parse(properties) as Record<string, unknown> } : {}),
    },
  }));
}
