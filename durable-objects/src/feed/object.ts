import { DurableObject } from "cloudflare:workers";
import {
  DEFAULTS,
  type LogBatch,
  type LogEntry,
  type MetricPoint,
  parseRunId,
  type SpanRecord,
} from "@acme/sdk/contract";
import { hasTables, Meta, migrate, objectSql, type Sql } from "../lib/sql.ts";
import { vitals } from "../lib/vitals.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { appendLogBatches, appendLogs, lastLine, listLogs, logsAfter } from "./core.ts";
import { appendMetrics, listMetrics, metricNames } from "./metrics.ts";
import type {
  AppendRecords,
  AppendResult,
  FeedRpc,
  LogFilter,
  LogPage,
  NamedLogs,
  StoredLogs,
  StoredSpans,
  StreamRecord,
} from "./rpc.ts";
import { FEED_MIGRATIONS } from "./schema.ts";
import { appendSpans, spanOf, spansAfter } from "./spans.ts";
import { appendRecords, lastIndexOf, lastRecordOf, recordsAfter } from "./streams.ts";
import { totalOf } from "./totals.ts";
import { Watches } from "./watches.ts";

/** The maximum number of characters of one answer to a reader. */
const READ_CHARACTERS = 1024 * 1024;
/** This long after a watched item was stored, the alarm makes sure that it was sent. */
const SENT_MS = 1_000;

/** How often additions postpone the end of retention. */
const PROLONG_MS = 24 * 3_600_000;

/**
 * A feed: the log and streams of a run, the spans of a trace, or metrics. Bounded, and deleted when its
 * retention has passed.
 */
export function feedObject<Env extends ObjectBindings>() {
  return class extends DurableObject<Env> implements FeedRpc {
    readonly #sql: Sql;
    readonly #stubs: Stubs;
    /** Null: nothing is stored yet. */
    #watches: Watches | null = null;
    #prolongedAt = 0;
    #retentionMs: number | undefined;
    /** Readers that wait for the next record, by stream. */
    readonly #readers = new Map<string, Set<() => void>>();
    /** True: this life of the object has set the alarm that makes sure everything was sent. */
    #makesSure = false;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#sql = objectSql(ctx.storage);
      this.#stubs = stubs(env);
      if (hasTables(this.#sql)) this.#open();
    }

    async appendLogs(
      attempt: number,
      entries: LogEntry[],
      batch?: LogBatch,
      keepMs?: number,
    ): Promise<number> {
      return this.#appended((sql) => appendLogs(sql, attempt, entries, batch), keepMs);
    }

    async appendLogBatches(batches: NamedLogs[], keepMs?: number): Promise<number[]> {
      return this.#appended((sql) => appendLogBatches(sql, batches), keepMs);
    }

    #appended<T>(append: (sql: Sql) => T, keepMs: number | undefined): T {
      const watches = this.#watches ?? this.#create();
      const result = append(this.#sql);
      this.#prolong(keepMs);
      if (watches.ofLogs) this.#makeSure();
      this.ctx.waitUntil(watches.sendLogs());
      return result;
    }

    async listLogs(filter: LogFilter): Promise<StoredLogs> {
      return this.#watches ? listLogs(this.#sql, filter) : { lines: [], next: null, dropped: 0 };
    }

    async appendSpans(spans: SpanRecord[], batch?: LogBatch, keepMs?: number): Promise<void> {
      if (!this.#watches) this.#create();
      appendSpans(this.#sql, spans, batch);
      this.#prolong(keepMs);
    }

    async listSpans(after: number, limit: number): Promise<StoredSpans> {
      return this.#watches ? spansAfter(this.#sql, after, limit) : { spans: [], next: null, dropped: 0 };
    }

    async retrieveSpan(spanId: string): Promise<SpanRecord | null> {
      return this.#watches ? spanOf(this.#sql, spanId) : null;
    }

    async appendMetrics(points: MetricPoint[], batch?: LogBatch, keepMs?: number): Promise<void> {
      if (!this.#watches) this.#create();
      this.#prolong(keepMs);
      appendMetrics(this.#sql, points, batch, Date.now() - this.#keepMs());
    }

    async listMetrics(
      name: string,
      range: { from: number; to: number; limit: number },
    ): Promise<MetricPoint[]> {
      return this.#watches ? listMetrics(this.#sql, name, range) : [];
    }

    async metricNames(): Promise<string[]> {
      return this.#watches ? metricNames(this.#sql) : [];
    }

    async watchLogs(runId: string, after: number, limit: number): Promise<LogPage & { more: boolean }> {
      const watches = this.#watches ?? this.#create();
      watches.watchLogs(runId);
      const page = logsAfter(this.#sql, after, limit);
      return { ...page, more: page.lines.length === limit };
    }

    async lastLine(): Promise<number> {
      return this.#watches ? lastLine(this.#sql) : 0;
    }

    async appendRecords(key: string, append: AppendRecords): Promise<AppendResult> {
      const watches = this.#watches ?? this.#create();
      const result = this.#sql.transaction(() => appendRecords(this.#sql, key, append, Date.now()));
      this.#wakeReaders(key);
      if (watches.ofStream(key)) this.#makeSure();
      this.ctx.waitUntil(watches.sendRecords(key));
      return result;
    }

    async lastIndex(key: string, writer: string): Promise<number> {
      return this.#watches ? lastIndexOf(this.#sql, key, writer) : -1;
    }

    async lastRecord(key: string): Promise<number> {
      return this.#watches ? lastRecordOf(this.#sql, key) : -1;
    }

    async watchStream(runId: string, key: string): Promise<number> {
      const watches = this.#watches ?? this.#create();
      watches.watchStream(runId, key);
      return lastRecordOf(this.#sql, key);
    }

    async readRecords(
      key: string,
      after: number,
      waitMs: number,
      characters = READ_CHARACTERS,
    ): Promise<StreamRecord[]> {
      const read = () => (this.#watches ? recordsAfter(this.#sql, key, after, characters) : []);
      const records = read();
      if (records.length > 0 || waitMs === 0) return records;
      await this.#nextRecord(key, waitMs);
      return read();
    }

    async waitForInput(key: string, token: string, after: number): Promise<StreamRecord | null> {
      if (!this.#watches) this.#create();
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
      if (!this.#watches) this.#create();
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
      this.#makesSure = false;
      const keptUntil = this.#keptUntil();
      if (Date.now() >= keptUntil) {
        this.#watches = null;
        this.#prolongedAt = 0;
        this.#retentionMs = undefined;
        await this.ctx.storage.deleteAll();
        return;
      }
      await this.#watches?.sendAll();
      if (!this.#makesSure) await this.ctx.storage.setAlarm(keptUntil);
    }

    #create(): Watches {
      const watches = this.#open();
      this.ctx.storage.setAlarm(this.#keptUntil());
      return watches;
    }

    /**
     * The end of retention. A feed that was created before this was stored is kept for the same time again.
     */
    #keptUntil(): number {
      const meta = new Meta(this.#sql);
      const known = meta.get<number>("keptUntil");
      if (known !== null) return known;
      const until = Date.now() + this.#keepMs();
      meta.set("keptUntil", until);
      return until;
    }

    /** The retention of the environment's organization, as the last addition stated it. */
    #keepMs(): number {
      this.#retentionMs ??= new Meta(this.#sql).get<number>("keepMs") ?? DEFAULTS.retentionMs;
      return this.#retentionMs;
    }

    /**
     * Set in the same turn as the watched items are stored: if this object dies before it has sent them, the
     * alarm starts it again, and it sends them.
     */
    #makeSure(): void {
      if (this.#makesSure) return;
      this.#makesSure = true;
      this.ctx.storage.setAlarm(Date.now() + SENT_MS);
    }

    /** Retention counts from the last addition, rounded to a day. */
    #prolong(keepMs: number = this.#keepMs()): void {
      const now = Date.now();
      const id = this.ctx.id.name ?? "";
      if (vitals.isDue("feed", id, now)) {
        const bytes = totalOf(this.#sql, "log_bytes") + totalOf(this.#sql, "span_bytes");
        vitals.note("feed", id, { bytes }, now);
      }
      if (keepMs !== this.#keepMs()) {
        this.#retentionMs = keepMs;
        const meta = new Meta(this.#sql);
        meta.set("keepMs", keepMs);
        meta.set("keptUntil", now + keepMs);
        // It may end earlier than the alarm that is set. Otherwise, `alarm` sets the later one.
        if (!this.#makesSure) this.ctx.storage.setAlarm(now + keepMs);
      }
      if (now - this.#prolongedAt < PROLONG_MS) return;
      this.#prolongedAt = now;
      const until = now + keepMs;
      // The alarm that is already set reads this when it fires.
      if (this.#keptUntil() < until - PROLONG_MS) new Meta(this.#sql).set("keptUntil", until);
    }

    #open(): Watches {
      migrate(this.#sql, FEED_MIGRATIONS);
      const live = (runId: string) => this.#stubs.live(parseRunId(runId)?.environmentKey ?? "");
      this.#watches = new Watches(this.#sql, {
        logs: (runId, { previous, lines }) => live(runId).logsAppended(runId, previous, lines),
        stream: (runId, key, previous, records) => live(runId).streamAppended(runId, key, previous, records),
      });
      return this.#watches;
    }
  };
}
