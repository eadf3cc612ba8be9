import type { LogBatch } from "@acme/sdk/contract";
import type { Sql } from "../lib/sql.ts";

/** Batches of a sender that came before another one in the same call, with the numbers of their first lines. */
export type Earlier = [number: number, first: number][];

/**
 * Records a batch as stored unless it already is, with a number. A sender that did not get the answer sends
 * the batch again and gets the same number. Each sender numbers its batches in order.
 */
export function noteBatch(
  sql: Sql,
  { sender, number }: LogBatch,
  first: number,
  earlier: Earlier = [],
): { isNew: boolean; first: number } {
  const known = sql.exec<{ last: number; first: number; earlier: string | null }>(
    "SELECT last, first, earlier FROM log_batches WHERE sender = ?",
    sender,
  )[0];
  if (known && number === known.last) return { isNew: false, first: known.first };
  if (known && number < known.last) return { isNew: false, first: firstOf(known.earlier, number) };
  sql.exec(
    `INSERT INTO log_batches (sender, last, first, earlier) VALUES (?, ?, ?, ?)
     ON CONFLICT (sender) DO UPDATE SET last = excluded.last, first = excluded.first, earlier = excluded.earlier`,
    sender,
    number,
    first,
    earlier.length > 0 ? JSON.stringify(earlier) : null,
  );
  return { isNew: true, first };
}

const firstOf = (earlier: string | null, number: number): number =>
  earlier === null ? 0 : ((JSON.parse(earlier) as Earlier).find(([of]) => of === number)?.[1] ?? 0);
