import { DurableObject } from "cloudflare:workers";
import { DEFAULTS, type LogEntry, parseRunId } from "@acme/sdk/contract";
import { hasTables, migrate, objectSql, type Sql } from "../lib/sql.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { appendLogs, listLogs, logsAfter } from "./core.ts";
import { LogWatch } from "./log-watch.ts";
import type { AppendRecords, AppendResult, FeedRpc, LogPage, StreamRecord } from "./rpc.ts";
import { FEED_MIGRATIONS } from "./schema.ts";
import { appendRecords, lastIndexOf, lastRecordOf, recordsAfter } from "./streams.ts";

/** Characters of one answer to a reader. */
const READ_CHARACTERS = 1024 * 1024;

/** The object of one run's feed: its logs, bounded, deleted when retention is over. */
export function feedObject<Env extends ObjectBindings>() {
  return class extends DurableObject<Env> implements FeedRpc {
    readonly #sql: Sql;
    readonly #stubs: Stubs;
    /** Null: nothing is stored yet. */
    #watch: LogWatch | null = null;
    /** Who waits for the next record, by stream. */
    readonly #readers = new Map<string, Set<() => void>>();

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

    async appendRecords(key: string, append: AppendRecords): Promise<AppendResult> {
      if (!this.#watch) this.#create();
      const result = this.#sql.transaction(() => appendRecords(this.#sql, key, append, Date.now()));
      this.#wakeReaders(key);
      return result;
    }

    async lastIndex(key: string, writer: string): Promise<number> {
      return this.#watch ? lastIndexOf(this.#sql, key, writer) : -1;
    }

    async lastRecord(key: string): Promise<number> {
      return this.#watch ? lastRecordOf(this.#sql, key) : -1;
    }

    async readRecords(key: string, after: number, waitMs: number): Promise<StreamRecord[]> {
      const read = () => (this.#watch ? recordsAfter(this.#sql, key, after, READ_CHARACTERS) : []);
      const records = read();
      if (records.length > 0 || waitMs === 0) return records;
      await this.#nextRecord(key, waitMs);
      return read();
    }

    async waitForInput(key: string, token: string, after: number): Promise<StreamRecord | null> {
      if (!this.#watch) this.#create();
      return this.#sql.transaction(() => {
        const [record] = recordsAfter(this.#sql, key, after, 1);
        if (record) return record;
        this.#sql.exec(
          "INSERT OR IGNORE INTO input_waits (stream, token, after) VALUES (?, ?, ?)",
          key,
          token,
          after,
        );
        return null;
      });
    }

    async sendInput(
      key: string,
      record: string,
    ): Promise<{ error: string } | { seq: number; waiting: string[] }> {
      if (!this.#watch) this.#create();
      const sent = this.#sql.transaction(() => {
        const result = appendRecords(this.#sql, key, { records: [record] }, Date.now());
        if ("error" in result) return result;
        const waiting = this.#sql.exec<{ token: string }>(
          "SELECT token FROM input_waits WHERE stream = ? AND after < ?",
          key,
          result.lastIndex,
        );
        return { seq: result.lastIndex, waiting: waiting.map(({ token }) => token) };
      });
      this.#wakeReaders(key);
      return sent;
    }

    async forgetInputWaits(key: string, tokens: string[]): Promise<void> {
      for (const token of tokens)
        this.#sql.exec("DELETE FROM input_waits WHERE stream = ? AND token = ?", key, token);
    }

    #nextRecord(key: string, ms: number): Promise<void> {
      return new Promise((resolve) => {
        const readers = this.#readers.get(key) ?? new Set();
        this.#readers.set(key, readers);
        const wake = () => {
          clearTimeout(timer);
          readers.delete(wake);
          if (readers.size === 0) this.#readers.delete(key);
          resolve();
        };
        const timer = setTimeout(wake, ms);
        readers.add(wake);
      });
    }

    #wakeReaders(key: string): void {
      for (const wake of this.#readers.get(key) ?? []) wake();
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
