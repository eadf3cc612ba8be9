import { sql } from "drizzle-orm";
import type { SqlDatabase } from "./sql-database.ts";

/** Sorts after the ids of all batches, which are lower-case letters and digits. */
const BEYOND = "batch_~";

/**
 * Returns the ids of batches that have runs, newest first. A batch may have 10,000 runs: instead of walking
 * all of them, each step seeks the greatest id below the last one.
 */
export function selectBatchIds(
  { db, tables }: SqlDatabase,
  environmentKey: string,
  limit: number,
  after?: string,
): PromiseLike<{ id: string }[]> | { id: string }[] {
  const { runs } = tables;
  const below = (id: unknown) => sql`(
    SELECT max(${runs.batchId}) FROM ${runs} WHERE ${runs.environmentKey} = ${environmentKey} AND ${runs.batchId} < ${id})`;
  const listed = sql`(
    WITH RECURSIVE batches (id, n) AS (
      SELECT ${below(after ?? BEYOND)}, 1
      UNION ALL SELECT ${below(sql`batches.id`)}, n + 1 FROM batches WHERE batches.id IS NOT NULL AND n < ${limit})
    SELECT id, n FROM batches WHERE id IS NOT NULL) AS listed`;
  return db.select({ id: sql<string>`listed.id` }).from(listed).orderBy(sql`listed.n`);
}
