import type { RunRow } from "@acme/durable-objects/rpc";
import type { Column, SQL, Subquery } from "drizzle-orm";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";
import type * as sqliteTables from "./sqlite-schema.ts";

export type SqlTables = typeof sqliteTables;

/**
 * What the repository is written against: Drizzle, in the types of its SQLite side. Postgres has the same query builder
 * and the same tables under other types, and comes here by one cast (`postgres-repository.ts`); the rest of what differs
 * is the functions below. A SQLite object answers at once, D1 and Postgres later: `await` serves both.
 */
export interface SqlDatabase {
  db: BaseSQLiteDatabase<"async" | "sync", unknown>;
  tables: SqlTables;
  /** The table of runs, to be read by this index where the database would have to guess. */
  runsBy(index: string): Subquery;
  /** Adds rows and replaces older ones, all or none. */
  upsertRuns(rows: RunRow[]): Promise<void>;
  /** Runs `insert` where no other deployment of this environment can be created at the same time. */
  oneDeploymentAtATime<T>(environmentKey: string, insert: (db: SqlDatabase["db"]) => Promise<T>): Promise<T>;
  /** Whether the column holds one of the values, however many: they take one parameter. */
  isOneOf(column: Column, values: string[]): SQL;
  /** Whether a column of a JSON array of strings holds one of the values. */
  holdsOneOf(column: Column, values: string[]): SQL;
  /** Whether a column of a JSON array of strings holds the value. */
  holds(column: Column, value: SQL): SQL;
  /**
   * A query of the ids that `select` finds for each of the values. `select` is given the value and makes a query of one
   * column, `run_id`, which may have a limit of its own.
   */
  idsForEach(values: string[], select: (value: SQL) => SQL): SQL;
}
