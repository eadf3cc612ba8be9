import type { Sql } from "../lib/sql.ts";

/** Counts what a feed has of each kind, and what it did not keep. */
type Total = "log_bytes" | "logs_dropped" | "span_bytes" | "spans" | "spans_dropped";

export const totalOf = (sql: Sql, name: Total): number =>
  sql.exec<{ value: number }>("SELECT value FROM totals WHERE name = ?", name)[0]?.value ?? 0;

export function addToTotal(sql: Sql, name: Total, value: number): void {
  if (value === 0) return;
  sql.exec(
    "INSERT INTO totals (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
    name,
    value,
  );
}
