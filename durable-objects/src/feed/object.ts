import { DurableObject } from "cloudflare:workers";
import { DEFAULTS, type LogEntry } from "@acme/sdk/contract";
import { hasTables, migrate, objectSql, type Sql } from "../lib/sql.ts";
import { appendLogs, listLogs } from "./core.ts";
import type { FeedRpc } from "./rpc.ts";
import { FEED_MIGRATIONS } from "./schema.ts";

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
      appendLogs(this.#sql, attempt, entries);
    }

    async listLogs({ limit }: { limit: number }): Promise<{ attempt: number; entry: LogEntry }[]> {
      return hasTables(this.#sql) ? listLogs(this.#sql, limit) : [];
    }

    override async alarm(): Promise<void> {
      await this.ctx.storage.deleteAll();
    }
  };
}
