import type { LogBatch, LogEntry, LogLevel, MetricPoint, SpanRecord } from "@acme/sdk/contract";
import type { LiveLogLine } from "@acme/sdk/contract/live";

/** Log lines in order. `previous`: the sequence number before the first of them. */
export interface LogPage {
  previous: number;
  lines: LiveLogLine[];
}

/** Selects lines of a log: those after a sequence number, oldest first, or the newest of them if `last`. */
export interface LogFilter {
  after: number;
  limit: number;
  levels?: LogLevel[];
  text?: string;
  last?: boolean;
}

/**
 * `next`: the number after which to continue; null: these are the last. `dropped`: the number of lines at the
 * beginning that are no longer kept.
 */
export interface StoredLogs {
  lines: LiveLogLine[];
  next: number | null;
  dropped: number;
}

/**
 * `next`: the number after which to continue; null: these are the last. `dropped`: the number of spans that
 * were not kept.
 */
export interface StoredSpans {
  spans: SpanRecord[];
  next: number | null;
  dropped: number;
}

/** Lines of an attempt that their sender may send again, under the same name. */
export interface NamedLogs {
  attempt: number;
  entries: LogEntry[];
  batch: LogBatch;
}

/** `keepMs`: for how long the organization of the feed keeps it after the last addition. Default: `DEFAULTS.retentionMs`. */
export interface FeedRpc {
  /**
   * Returns the sequence number of the first line. Idempotent for entries with a batch: those of a stored
   * batch are skipped. A repeated latest batch of a sender returns its number again, an earlier one 0.
   */
  appendLogs(attempt: number, entries: LogEntry[], batch?: LogBatch, keepMs?: number): Promise<number>;
  /**
   * Several batches in their order, each as `appendLogs`. What of them is sent again, together with later ones or without, gets
   * the numbers that it had.
   */
  appendLogBatches(batches: NamedLogs[], keepMs?: number): Promise<number[]>;
  listLogs(filter: LogFilter): Promise<StoredLogs>;
  /** Idempotent for a batch, and for a span that has ended. */
  appendSpans(spans: SpanRecord[], batch?: LogBatch, keepMs?: number): Promise<void>;
  listSpans(after: number, limit: number): Promise<StoredSpans>;
  retrieveSpan(spanId: string): Promise<SpanRecord | null>;
  appendMetrics(points: MetricPoint[], batch?: LogBatch, keepMs?: number): Promise<void>;
  listMetrics(name: string, range: { from: number; to: number; limit: number }): Promise<MetricPoint[]>;
  metricNames(): Promise<string[]>;
  /**
   * From the LiveObject: returns lines after the sequence number `after`, and from then on sends each new one
   * to `logsAppended`, until that returns false. `more`: there are further lines already.
   */
  watchLogs(runId: string, after: number, limit: number): Promise<LogPage & { more: boolean }>;
  /** Returns the number of the last line of the log; 0 without lines. */
  lastLine(): Promise<number>;
  /** Appends to a stream, which the first append creates. Idempotent for a writer's lines. */
  appendRecords(key: string, append: AppendRecords): Promise<AppendResult>;
  /** Returns the number of a writer's last stored line; -1 if none is stored. */
  lastIndex(key: string, writer: string): Promise<number>;
  /** Returns the number of the last record; -1 for an empty stream. */
  lastRecord(key: string): Promise<number>;
  /**
   * Returns records after number `after` as soon as there are any: at least one, and about `characters`; none
   * after `waitMs`.
   */
  readRecords(key: string, after: number, waitMs: number, characters?: number): Promise<StreamRecord[]>;
  /**
   * From the LiveObject: returns the number of the last record of a stream, -1 if there is none. From then on
   * each new one is sent to `streamAppended`, until that returns false.
   */
  watchStream(runId: string, key: string): Promise<number>;
  /**
   * Registers a token that waits for the first record after number `after`. If the record exists already, it
   * is returned and the token is not kept.
   */
  waitForInput(key: string, token: string, after: number): Promise<StreamRecord | null>;
  /**
   * Appends to an input stream. Returns the tokens that wait for it. The caller completes them and then has
   * them forgotten here.
   */
  sendInput(key: string, record: string): Promise<{ error: string } | { seq: number; waiting: string[] }>;
  forgetInputWaits(key: string, tokens: string[]): Promise<void>;
}

export interface AppendRecords {
  /** Set if the records are lines of one writer: the writer, and the number of the first line. */
  writer?: { id: string; from: number };
  /** JSON texts. */
  records: string[];
}

/** `lastIndex`: of the writer's lines, or of the records. `created`: the stream is new. `error`: a limit; nothing was stored. */
export type AppendResult = { lastIndex: number; created: boolean } | { error: string };

export interface StreamRecord {
  /** From 0, without gaps. */
  seq: number;
  time: number;
  /** JSON. */
  body: string;
}
