import type { LogBatch, LogEntry, LogLevel, MetricPoint, SpanRecord } from "@acme/sdk/contract";
import type { LiveLogLine } from "@acme/sdk/contract/live";

/** Log lines in order. `previous`: the sequence number before the first of them. */
export interface LogPage {
  previous: number;
  lines: LiveLogLine[];
}

/** Which lines of a log: after a sequence number, and with the newest of those instead of the oldest if `last`. */
export interface LogFilter {
  after: number;
  limit: number;
  levels?: LogLevel[];
  text?: string;
  last?: boolean;
}

/** `next`: the number to go on after; null: these are the last. `dropped`: lines at the beginning that are no longer kept. */
export interface StoredLogs {
  lines: LiveLogLine[];
  next: number | null;
  dropped: number;
}

/** `next`: the number to go on after; null: these are the last. `dropped`: spans that were not kept. */
export interface StoredSpans {
  spans: SpanRecord[];
  next: number | null;
  dropped: number;
}

export interface FeedRpc {
  /**
   * The sequence number of the first line. Idempotent for entries that come with a batch: those of a batch that is stored
   * already are skipped, and the latest batch of a sender gives its number again; 0 for an earlier one.
   */
  appendLogs(attempt: number, entries: LogEntry[], batch?: LogBatch): Promise<number>;
  listLogs(filter: LogFilter): Promise<StoredLogs>;
  /** Idempotent for a batch, and for a span that has ended. */
  appendSpans(spans: SpanRecord[], batch?: LogBatch): Promise<void>;
  listSpans(after: number, limit: number): Promise<StoredSpans>;
  retrieveSpan(spanId: string): Promise<SpanRecord | null>;
  appendMetrics(points: MetricPoint[], batch?: LogBatch): Promise<void>;
  listMetrics(name: string, range: { from: number; to: number; limit: number }): Promise<MetricPoint[]>;
  metricNames(): Promise<string[]>;
  /**
   * From the LiveObject: lines after the sequence number `after`, and from then on each new one through its
   * `logsAppended`, until that says that nobody watches. `more`: there are further lines already.
   */
  watchLogs(runId: string, after: number, limit: number): Promise<LogPage & { more: boolean }>;
  /** Number of the last line of the log; 0 without lines. */
  lastLine(): Promise<number>;
  /** Appends to a stream, which the first append creates. Idempotent for a writer's lines. */
  appendRecords(key: string, append: AppendRecords): Promise<AppendResult>;
  /** Number of the last line of a writer that is stored; -1: none is. */
  lastIndex(key: string, writer: string): Promise<number>;
  /** Number of the last record; -1 for an empty stream. */
  lastRecord(key: string): Promise<number>;
  /** Records after number `after`, as soon as there are any; none after `waitMs`. At least one, and about `characters`. */
  readRecords(key: string, after: number, waitMs: number, characters?: number): Promise<StreamRecord[]>;
  /**
   * From the LiveObject: the number of the last record of a stream, -1 if there is none. From then on each new one is sent
   * through its `streamAppended`, until that says that nobody watches.
   */
  watchStream(runId: string, key: string): Promise<number>;
  /**
   * A token waits for the first record after number `after`. The record, where it exists already; the token is then not
   * kept.
   */
  waitForInput(key: string, token: string, after: number): Promise<StreamRecord | null>;
  /** Appends to an input stream. Gives the tokens that wait for it, which the caller completes and then forgets here. */
  sendInput(key: string, record: string): Promise<{ error: string } | { seq: number; waiting: string[] }>;
  forgetInputWaits(key: string, tokens: string[]): Promise<void>;
}

export interface AppendRecords {
  /** Where the records are lines of one writer: who, and the number of the first of them. */
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
