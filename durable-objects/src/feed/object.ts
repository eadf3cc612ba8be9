import { DurableObject } from "cloudflare:workers";
import { DEFAULTS, type LogEntry } from "@acme/sdk/contract";
import type { FeedRpc } from "../rpc.ts";
import { hasTables, migrate, objectSql, type Sql } from "../sql.ts";

const FEED_MIGRATIONS = [
  `CREATE TABLE logs (
    id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    time REAL NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    properties TEXT
  )`,
];

/** Entries kept of one run: the latest. */
const MAX_LOGS = 10_000;

interface LogRow {
  attempt: number;
  time: number;
  level: LogEntry["level"];
  message: string;
  properties: string | null;
  [column: string]: string | number | null;
}

/** The object of one run's feed: its logs, bounded, deleted when retention is over. */
export function feedObject<Env>() {
  return class extends DurableObject<Env> implements FeedRpc {
    readonly #sql: Sql;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#sql = objectSql(ctx.storage);
    }

    async appendLogs(attempt: number, entries: LogEntry[]): Promise<void> {
      if (!hasTables(this.#sql)) {
        migrate(this.#sql, FEED_MIGRATIONS);
        this.ctx.storage.setAlarm(Date.now() + DEFAULTS.retentionMs);
      }
      this.#sql.transaction(() => {
        for (const entry of entries) {
          this.#sql.exec(
            "INSERT INTO logs (attempt, time, level, message, properties) VALUES (?, ?, ?, ?, ?)",
            attempt,
            entry.time,
            entry.level,
            entry.message,
            entry.properties ? JSON.stringify(entry.properties) : null,
          );
        }
        this.#sql.exec("DELETE FROM logs WHERE id <= (SELECT max(id) FROM logs) - ?", MAX_LOGS);
      });
    }

    async listLogs(options: { limit: number }): Promise<{ attempt: number; entry: LogEntry }[]> {
      if (!hasTables(this.#sql)) return [];
      const rows = this.#sql.exec<LogRow>(
        `SELECT attempt, time, level, message, properties FROM
           (SELECT * FROM logs ORDER BY id DESC LIMIT ?) ORDER BY id`,
        options.limit,
      );
      return rows.map(({ attempt, time, level, message, properties }) => ({
        attempt,
        entry: {
          time,
          level,
          message,
          ...(properties ? { properties: JSON.parse(properties) as Record<string, unknown> } : {}),
        },
      }));
    }

    override async alarm(): Promise<void> {
      await this.ctx.storage.deleteAll();
    }
  };
}
