import type { LogBatch } from "@acme/sdk/contract";
import type { Sql } from "../lib/sql.ts";

/**
 * Records a batch as stored unless it already is, with a number. A sender that did not get the answer sends
 * the batch again and gets the same number. Each sender numbers its batches in order.
 */
export function noteBatch(
  sql: Sql,
  { sender, number }: LogBatch,
  first: number,
): { isNew: boolean; first: number } {
  const known = sql.exec<{ last: number; first: number }>(
    "SELECT last, first FROM log_batches WHERE sender = ?",
    sender,
  )[0];
  if (known && number <= known.last) return { isNew: false, first: number === known.last ? known.first : 0 };
  sql.exec(
    "INSERT INTO log_batches (sender, last, first) VALUES (?, ?, ?) ON CONFLICT (sender) DO UPDATE SET last = excluded.last, first = excluded.first",
    sender,
    number,
    first,
  );
  return { isNew: true, first };
}
