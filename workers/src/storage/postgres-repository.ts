import { getTableColumns, Subquery, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/postgres-js";
import { postgresClient } from "./postgres-client.ts";
import * as postgresTables from "./postgres-schema.ts";
import { lockCounts, postgresUpsert, pruneRollups } from "./postgres-upsert.ts";
import type { SqlDatabase, SqlTables } from "./sql-database.ts";
import { SqlRepository } from "./sql-repository.ts";

type Rows<T> = { [Name in keyof T]: T[Name] extends { $inferSelect: infer Row } ? Row : never };
/** Fails to compile if a table's columns or their types differ from SQLite's. */
const sameRows = (rows: Rows<typeof postgresTables>): Rows<SqlTables> => rows;
const sameRowsBack = (rows: Rows<SqlTables>): Rows<typeof postgresTables> => rows;
void [sameRows, sameRowsBack];

/** Drizzle's Postgres side has the methods of its SQLite side that the repository uses; the tests run on both. */
const asSqlDatabase = (db: unknown): SqlDatabase["db"] => db as SqlDatabase["db"];
const tables = postgresTables as unknown as SqlTables;

/** The query side on Postgres, for one request or the life of one object. `end` closes its connection at once. */
export function postgresRepository(url: string): SqlRepository & { end(): Promise<void> } {
  const client = postgresClient(url);
  const db = drizzle(client);
  const repository = new SqlRepository({
    db: asSqlDatabase(db),
    tables,
    // Postgres keeps statistics.
    runsBy: () => new Subquery(sql.raw("SELECT * FROM runs"), getTableColumns(tables.runs), "runs"),
    upsertRuns: (rows) =>
      db.transaction(async (tx) => {
        await tx.execute(lockCounts(rows));
        await tx.execute(postgresUpsert(rows));
        await tx.execute(pruneRollups(rows));
      }),
    // Two concurrent inserts would find the same last version, so the second waits for the first's lock of
    // the environment row.
    oneDeploymentAtATime: (environmentKey, insert) =>
      db.transaction(async (tx) => {
        await tx.execute(sql`SELECT key FROM environments WHERE key = ${environmentKey} FOR UPDATE`);
        return insert(asSqlDatabase(tx));
      }),
    isOneOf: (column, values) =>
      sql`${column} IN (SELECT jsonb_array_elements_text(${JSON.stringify(values)}::jsonb))`,
    holdsOneOf: (column, values) =>
      sql`EXISTS (SELECT 1 FROM jsonb_array_elements_text(${column}) held
        WHERE held IN (SELECT jsonb_array_elements_text(${JSON.stringify(values)}::jsonb)))`,
    holds: (column, value) =>
      sql`EXISTS (SELECT 1 FROM jsonb_array_elements_text(${column}) held WHERE held = ${value})`,
    idsForEach: (values, select) => sql`
      SELECT found.run_id FROM jsonb_array_elements_text(${JSON.stringify(values)}::jsonb) wanted(value),
        LATERAL (${select(sql`wanted.value`)}) found`,
  });
  return Object.assign(repository, { end: () => client.end({ timeout: 5 }) });
}
