import type { RunRow } from "@acme/durable-objects/rpc";
import { type Column, getTableColumns, type SQL, Subquery, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { SqlDatabase } from "./sql-database.ts";
import { SqlRepository } from "./sql-repository.ts";
import * as tables from "./sqlite-schema.ts";
import { sqliteUpsert } from "./sqlite-upsert.ts";

/** The query side over SQLite. `upsertRuns` runs the statements of `sqliteUpsert` in one transaction. */
export function sqliteRepository(
  db: SqlDatabase["db"],
  upsertRuns: (rows: RunRow[]) => Promise<void>,
): SqlRepository {
  return new SqlRepository({
    db,
    tables,
    // Without statistics, SQLite treats all indexes that begin with the environment as equal.
    runsBy: (index) => namedRuns(sql.raw(`SELECT * FROM runs INDEXED BY ${index}`)),
    upsertRuns,
    // SQLite has one writer.
    oneDeploymentAtATime: (_environmentKey, insert) => insert(db),
    isOneOf,
    holdsOneOf: (column, values) =>
      sql`EXISTS (SELECT 1 FROM json_each(${column}) held WHERE ${isOneOf(sql`held.value`, values)})`,
    holds: (column, value) =>
      sql`EXISTS (SELECT 1 FROM json_each(${column}) held WHERE held.value = ${value})`,
    // SQLite has no LATERAL, but the arguments of json_each may refer to tables to its left.
    idsForEach: (values, select) => sql`
      SELECT found.value FROM json_each(${JSON.stringify(values)}) wanted, json_each((
        SELECT json_group_array(run_id) FROM (${select(sql`wanted.value`)}))) found`,
  });
}

/** Drizzle does not support INDEXED BY; SQLite merges the inner query into the outer one. */
const namedRuns = (query: SQL): Subquery => new Subquery(query, getTableColumns(tables.runs), "runs");

const isOneOf = (column: Column | SQL, values: string[]): SQL =>
  sql`${column} IN (SELECT value FROM json_each(${JSON.stringify(values)}))`;

/** The query side on D1. */
export function d1Repository(d1: D1Database): SqlRepository {
  return sqliteRepository(drizzle(d1), async (rows) => {
    // Drizzle's own batch (0.45) fails for plain SQL with parameters.
    await d1.batch(sqliteUpsert(rows).map(({ sql: text, params }) => d1.prepare(text).bind(...params)));
  });
}
