import { objectOf } from "@acme/durable-objects/routing";
import { type SQL, sql } from "drizzle-orm";
import { drizzle as d1Drizzle } from "drizzle-orm/d1";
import { type PgDatabase, PgDialect, type PgQueryResultHKT } from "drizzle-orm/pg-core";
import { drizzle as postgresDrizzle } from "drizzle-orm/postgres-js";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { drizzle as proxyDrizzle } from "drizzle-orm/sqlite-proxy";
import type { Bindings } from "../bindings.ts";
import { postgresClient } from "./postgres-client.ts";
import * as postgresTables from "./postgres-schema.ts";
import type { SqlDatabase, SqlTables } from "./sql-database.ts";
import * as sqliteTables from "./sqlite-schema.ts";

/** A query that Drizzle has built and not executed. */
export type Statement = { toSQL(): { sql: string; params: unknown[] } } | SQL;

/** A statement of a transaction. */
export interface Required {
  required: Statement;
}

export const required = (statement: Statement): Required => ({ required: statement });

export interface PlainStatement {
  sql: string;
  params: unknown[];
  /** True: the whole transaction is rolled back if the statement changes no row. */
  required: boolean;
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
   * Runs the statements in order and in one transaction: all or none. Resolves with the number of rows each one changed,
   * or with null if a required one changed none, in which case nothing was done.
   */
  atomically(statements: (Statement | Required)[]): Promise<number[] | null>;
  /** Locks the organization until the transaction ends. SQLite has only one writer anyway. */
  lockOrganization(id: string): Statement;
}

/** What the database object answers to: see `DatabaseObject`. */
export interface SqlRpc {
  query(sql: string, params: unknown[], method: QueryMethod): Promise<{ rows: unknown[]; rowCount: number }>;
  queryAtomically(statements: PlainStatement[]): Promise<number[] | null>;
}

export type QueryMethod = "run" | "all" | "values" | "get";

/** Returns the database to which this Worker is bound, chosen like in `openRepository`. */
export function openSql(env: Bindings): SqlConnection {
  if (env.HYPERDRIVE) return postgresConnection(env.HYPERDRIVE.connectionString);
  if (env.DB) return d1Connection(env.DB);
  return objectConnection(objectOf(env, "DATABASE", env.DATABASE, "main") as unknown as SqlRpc);
}

const sqliteDialect = new SQLiteAsyncDialect();
const postgresDialect = new PgDialect();

const plain = (statement: Statement | Required, dialect: SQLiteAsyncDialect | PgDialect): PlainStatement => {
  const built = "required" in statement ? statement.required : statement;
  const { sql, params } = "toSQL" in built ? built.toSQL() : dialect.sqlToQuery(built);
  return { sql, params, required: "required" in statement };
};

/**
 * D1 rolls a batch back when a statement fails, and this statement fails if the previous one changed nothing.
 */
const D1_GUARD = "SELECT json(CASE WHEN changes() = 0 THEN 'nothing changed' ELSE 'null' END)";

const nothing = sql`SELECT 1`;

export function d1Connection(d1: D1Database): SqlConnection {
  return {
    provider: "sqlite",
    db: d1Drizzle(d1),
    tables: sqliteTables,
    lockOrganization: () => nothing,
    async atomically(statements) {
      const plains = statements.map((statement) => plain(statement, sqliteDialect));
      const prepared = plains.flatMap(({ sql, params, required }) => {
        const one = d1.prepare(sql).bind(...params);
        return required ? [one, d1.prepare(D1_GUARD)] : [one];
      });
      try {
        const results = await d1.batch(prepared);
        const counts = results.map((result) => result.meta.changes);
        let at = 0;
        return plains.map(({ required }) => {
          const count = counts[at] as number;
          at += required ? 2 : 1;
          return count;
        });
      } catch (error) {
        if (error instanceof Error && /malformed JSON/.test(error.message)) return null;
        throw error;
      }
    },
  };
}

export function objectConnection(object: SqlRpc): SqlConnection {
  return {
    provider: "sqlite",
    db: proxyDrizzle((sql, params, method) => object.query(sql, params, method)),
    tables: sqliteTables,
    lockOrganization: () => nothing,
    atomically: (statements) =>
      object.queryAtomically(statements.map((statement) => plain(statement, sqliteDialect))),
  };
}

class NothingChanged extends Error {}

/**
 * A connection's view of a Postgres database. Drizzle's Postgres side has the methods of its SQLite side that are used here; the
 * tests run on both.
 */
export const postgresSide = (db: PgDatabase<PgQueryResultHKT>) => ({
  provider: "pg" as const,
  db: db as unknown as SqlDatabase["db"],
  tables: postgresTables as unknown as SqlTables,
});

export function postgresConnection(url: string): SqlConnection & { end(): Promise<void> } {
  const client = postgresClient(url);
  return {
    ...postgresSide(postgresDrizzle(client)),
    lockOrganization: (id) => sql`SELECT 1 FROM organizations WHERE id = ${id} FOR UPDATE`,
    async atomically(statements) {
      try {
        return await client.begin(async (transaction) => {
          const counts: number[] = [];
          for (const statement of statements) {
            const { sql: text, params, required } = plain(statement, postgresDialect);
            const { count } = await transaction.unsafe(text, params as never[]);
            if (required && count === 0) throw new NothingChanged();
            counts.push(count);
          }
          return counts;
        });
      } catch (error) {
        if (error instanceof NothingChanged) return null;
        throw error;
      }
    },
    end: () => client.end({ timeout: 5 }),
  };
}

/** Returns whether a write failed because such a row exists already. Drizzle wraps the driver's error. */
export function isUniqueViolation(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (/UNIQUE constraint failed|duplicate key value violates unique constraint/.test(cause.message))
      return true;
  }
  return false;
}
