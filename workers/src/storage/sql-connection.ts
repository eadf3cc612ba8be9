import type { SQL } from "drizzle-orm";
import { drizzle as d1Drizzle } from "drizzle-orm/d1";
import { PgDialect } from "drizzle-orm/pg-core";
import { drizzle as postgresDrizzle } from "drizzle-orm/postgres-js";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { drizzle as proxyDrizzle } from "drizzle-orm/sqlite-proxy";
import type { Bindings } from "../bindings.ts";
import { postgresClient } from "./postgres-client.ts";
import * as postgresTables from "./postgres-schema.ts";
import type { SqlDatabase, SqlTables } from "./sql-database.ts";
import * as sqliteTables from "./sqlite-schema.ts";

/** A query that Drizzle has built and not run. */
export type Statement = { toSQL(): { sql: string; params: unknown[] } } | SQL;

export interface PlainStatement {
  sql: string;
  params: unknown[];
}

/**
 * The SQL database of people and the control plane: one set of queries, written with Drizzle in the types of its SQLite
 * side, over D1, Postgres, or the database object of one machine. It belongs to one request.
 */
export interface SqlConnection {
  provider: "sqlite" | "pg";
  db: SqlDatabase["db"];
  tables: SqlTables;
  /**
   * Runs the statements in order and in one transaction: all or none. Resolves with the number of rows each one changed.
   * A statement sees what the ones before it did, so a condition on an earlier one belongs into its WHERE.
   */
  atomically(statements: Statement[]): Promise<number[]>;
}

/** What the database object answers to: see `DatabaseObject`. */
export interface SqlRpc {
  query(sql: string, params: unknown[], method: QueryMethod): Promise<{ rows: unknown[]; rowCount: number }>;
  queryAtomically(statements: PlainStatement[]): Promise<number[]>;
}

export type QueryMethod = "run" | "all" | "values" | "get";

/** The database this Worker is bound to, chosen as `openRepository` does. */
export function openSql(env: Bindings): SqlConnection {
  if (env.HYPERDRIVE) return postgresConnection(env.HYPERDRIVE.connectionString);
  if (env.DB) return d1Connection(env.DB);
  return objectConnection(env.DATABASE.getByName("main") as unknown as SqlRpc);
}

const sqliteDialect = new SQLiteAsyncDialect();
const postgresDialect = new PgDialect();

const plain = (statement: Statement, dialect: SQLiteAsyncDialect | PgDialect): PlainStatement => {
  const { sql, params } = "toSQL" in statement ? statement.toSQL() : dialect.sqlToQuery(statement);
  return { sql, params };
};

export function d1Connection(d1: D1Database): SqlConnection {
  return {
    provider: "sqlite",
    db: d1Drizzle(d1),
    tables: sqliteTables,
    async atomically(statements) {
      const prepared = statements.map((statement) => {
        const { sql, params } = plain(statement, sqliteDialect);
        return d1.prepare(sql).bind(...params);
      });
      return (await d1.batch(prepared)).map((result) => result.meta.changes);
    },
  };
}

export function objectConnection(object: SqlRpc): SqlConnection {
  return {
    provider: "sqlite",
    db: proxyDrizzle((sql, params, method) => object.query(sql, params, method)),
    tables: sqliteTables,
    atomically: (statements) =>
      object.queryAtomically(statements.map((statement) => plain(statement, sqliteDialect))),
  };
}

export function postgresConnection(url: string): SqlConnection & { end(): Promise<void> } {
  const client = postgresClient(url);
  return {
    provider: "pg",
    // Drizzle's Postgres side has the methods of its SQLite side that are used here; the tests run on both.
    db: postgresDrizzle(client) as unknown as SqlDatabase["db"],
    tables: postgresTables as unknown as SqlTables,
    atomically: async (statements) => {
      const changed = await client.begin(async (transaction) => {
        const counts: number[] = [];
        for (const statement of statements) {
          const { sql, params } = plain(statement, postgresDialect);
          counts.push((await transaction.unsafe(sql, params as never[])).count);
        }
        return counts;
      });
      return changed as number[];
    },
    end: () => client.end({ timeout: 5 }),
  };
}

/** Whether a write failed because such a row is there already. Drizzle wraps what the driver throws. */
export function isUniqueViolation(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (/UNIQUE constraint failed|duplicate key value violates unique constraint/.test(cause.message))
      return true;
  }
  return false;
}
