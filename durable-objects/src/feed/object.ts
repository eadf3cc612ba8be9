import { DurableObject } from "cloudflare:workers";
import { DEFAULTS, type LogEntry, parseRunId } from "@acme/sdk/contract";
import { hasTables, migrate, objectSql, type Sql } from "../lib/sql.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { appendLogs, listLogs, logsAfter } from "./core.ts";
import { LogWatch } from "./log-watch.ts";
import type { FeedRpc, LogPage } from "./rpc.ts";
import { FEED_MIGRATIONS } from "./schema.ts";

/** The object of one run's feed: its logs, bounded, deleted when retention is over. */
export function feedObject<Env extends ObjectBindings>() {
  return class extends DurableObject<Env> implements FeedRpc {
    readonly #sql: Sql;
    readonly #stubs: Stubs;
    /** Null: nothing is stored yet. */
    #watch: LogWatch | null = null;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#sql = objectSql(ctx.storage);
      this.#stubs = stubs(env);
      if (hasTables(this.#sql)) this.#open();
    }

    async appendLogs(attempt: number, entries: LogEntry[]): Promise<void> {
      const watch = this.#watch ?? this.#create();
      appendLogs(this.#sql, attempt, entries);
      this.ctx.waitUntil(watch.appended());
    }

    async listLogs({ limit }: { limit: number }): Promise<{ attempt: number; entry: LogEntry }[]> {
      return this.#watch ? listLogs(this.#sql, limit) : [];
    }

    async watchLogs(runId: string, after: number, limit: number): Promise<LogPage & { more: boolean }> {
      const watch = this.#watch ?? this.#create();
      watch.begin(runId);
      const page = logsAfter(this.#sql, after, limit);
      return { ...page, more: page.lines.length === limit };
    }

    override async alarm(): Promise<void> {
      this.#watch = null;
      await this.ctx.storage.deleteAll();
    }

    #create(): LogWatch {
      this.ctx.storage.setAlarm(Date.now() + DEFAULTS.retentionMs);
      return this.#open();
    }

    #open(): LogWatch {
      migrate(this.#sql, FEED_MIGRATIONS);
      this.#watch = new LogWatch(this.#sql, (runId, { previous, lines }) =>
        this.#stubs.live(parseRunId(runId)?.environmentKey ?? "").logsAppended(runId, previous, lines),
      );
      return this.#watch;
    }
  };
}
