import type { RunRow } from "@acme/durable-objects/rpc";
import type { Column, SQL, Subquery } from "drizzle-orm";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";
import type * as sqliteTables from "./sqlite-schema.ts";

export type SqlTables = typeof sqliteTables;

/**
 * What the repository is written against: Drizzle, in the types of its SQLite side. Postgres has the same
 * query builder and the same tables under other types, and is adapted by one cast (`postgres-repository.ts`);
 * the functions below are the remaining differences. A SQLite object answers synchronously, D1 and Postgres
 * asynchronously: `await` handles both.
 */
export interface SqlDatabase {
  db: BaseSQLiteDatabase<"async" | "sync", unknown>;
  tables: SqlTables;
  /** The table of runs, with a hint to use this index if the database would have to guess. */
  runsBy(index: string): Subquery;
  /** Adds rows and replaces older ones, all or none. */
  upsertRuns(rows: RunRow[]): Promise<void>;
  /** Runs `insert` while no other deployment of this environment can be created. */
  oneDeploymentAtATime<T>(environmentKey: string, insert: (db: SqlDatabase["db"]) => Promise<T>): Promise<T>;
  /** The condition that the column has one of the values, which take one parameter however many there are. */
  isOneOf(column: Column, values: string[]): SQL;
  /** The condition that a JSON array of strings contains one of the values. */
  holdsOneOf(column: Column, values: string[]): SQL;
  /** The condition that a JSON array of strings contains the value. */
  holds(column: Column, value: SQL): SQL;
  /**
   * A query for the ids that `select` finds for each of the values. `select` gets a value and returns a query
   * of one column, `run_id`, which may have its own limit.
   */
  idsForEach(values: string[], select: (value: SQL) => SQL): SQL;
}
