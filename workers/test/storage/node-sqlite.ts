import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/sqlite-proxy";
import { sqliteMigrations } from "../../migrations/sqlite.ts";
import type { Repository } from "../../src/storage/repository.ts";
import type { SqlConnection } from "../../src/storage/sql-connection.ts";
import { sqliteRepository } from "../../src/storage/sqlite-repository.ts";
import * as tables from "../../src/storage/sqlite-schema.ts";
import { sqliteUpsert } from "../../src/storage/sqlite-upsert.ts";

export interface NodeSqlite {
  repository: Repository;
  database: DatabaseSync;
  /** For queries only: it has no transactions. */
  connection: SqlConnection;
  /** Plans of the queries made since the last call. */
  plans(): string[];
}

/** The repository over Node's SQLite, where query plans can be inspected and speed can be measured. */
export function openNodeSqlite(path = ":memory:"): NodeSqlite {
  const database = new DatabaseSync(path);
  // As in workerd, an acknowledged write is on disk.
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
  for (const text of Object.values(sqliteMigrations.migrations)) database.exec(text);
  const queries: { text: string; parameters: SQLInputValue[] }[] = [];
  const db = drizzle(async (text, parameters: SQLInputValue[], method) => {
    queries.push({ text, parameters });
    const statement = database.prepare(text);
    statement.setReturnArrays(true);
    const rows = statement.all(...parameters) as unknown[];
    return { rows: method === "get" ? ((rows[0] as unknown[]) ?? []) : rows };
  });
  const repository = sqliteRepository(db, async (rows) => {
    database.exec("BEGIN");
    try {
      for (const { sql, params } of sqliteUpsert(rows)) database.prepare(sql).run(...params);
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  });
  const plans = () =>
    queries.splice(0).map(({ text, parameters }) =>
      database
        .prepare(`EXPLAIN QUERY PLAN ${text}`)
        .all(...parameters)
        .map((step) => String(step.detail))
        .join("\n"),
    );
  const connection: SqlConnection = {
    provider: "sqlite",
    db,
    tables,
    lockOrganization: () => sql`SELECT 1`,
    atomically: () => Promise.reject(new Error("Transactions are tested with the real connections")),
  };
  return { repository, database, connection, plans };
}
