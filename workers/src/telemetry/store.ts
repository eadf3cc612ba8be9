import type { LogLevel, LogRecord, MetricPoint, SpanRecord } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { hasClickHouse, openClickHouse } from "./clickhouse/client.ts";
import { ClickHouseStore } from "./clickhouse/store.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { retentionDaysOf } from "./retention.ts";

/**
 * What one sender sends together. A sender numbers its batches in order and sends one again, with the same number, when it
 * did not get the answer: a batch that is stored already changes nothing. Sender and number name one batch of an environment.
 */
export interface TelemetryBatch {
  sender: string;
  number: number;
  spans: SpanRecord[];
  logs: LogRecord[];
  metrics: MetricPoint[];
}

/** A batch, and the key of the environment that it is of. */
export interface ReceivedBatch {
  environment: string;
  batch: TelemetryBatch;
}

/** A page in the order in which spans were first stored. `next`: null after the last one. */
export interface SpanPage {
  spans: SpanRecord[];
  next: string | null;
  /** Spans of the trace that were not kept, because it has too many. */
  dropped: number;
}

export interface LogsOfRun {
  /** The lines after this sequence number, oldest first. */
  after: number;
  limit: number;
  levels?: LogLevel[];
  /** Lines whose message contains this, whatever the case of its letters. */
  text?: string;
}

export interface RunLogPage {
  logs: LogRecord[];
  /** The sequence number to continue after; null: there is nothing after these lines for now. */
  next: number | null;
  /** Lines at the beginning that are no longer kept. */
  dropped: number;
}

/** Times in milliseconds since the epoch. */
export interface LogSearch {
  from: number;
  to: number;
  /** Words that a message has to contain. */
  text?: string;
  levels?: LogLevel[];
  tasks?: string[];
  runId?: string;
  /** Properties that have these values. */
  attributes?: { name: string; value: string }[];
  limit: number;
}

export interface LogSearchPage {
  /** Newest first. */
  logs: LogRecord[];
  next: string | null;
}

export interface MetricQuery {
  name: string;
  from: number;
  to: number;
  /** Width of a point of the series in milliseconds. */
  step: number;
  runId?: string;
  attributes?: { name: string; value: string }[];
  /** A series for each value of this attribute. */
  groupBy?: string;
}

export interface MetricSeries {
  /** Value of `groupBy`; empty without. */
  group: string;
  unit: string;
  points: { time: number; min: number; max: number; sum: number; count: number; last: number }[];
}

/**
 * Keeps and finds spans, log lines and metric points. Everything is scoped by the key of an environment, which the server
 * knows from the request's credential or the run's id, never from what was sent.
 */
export interface TelemetryStore {
  readonly kind: "embedded" | "clickhouse";
  /**
   * Stores a batch once, however often it is sent. Log lines of a run have their sequence numbers already: see
   * `appendTelemetry`.
   */
  append(environment: string, batch: TelemetryBatch): Promise<void>;
  trace(
    environment: string,
    traceId: string,
    page: { after: string | null; limit: number },
  ): Promise<SpanPage>;
  span(environment: string, traceId: string, spanId: string): Promise<SpanRecord | null>;
  logsOfRun(environment: string, runId: string, query: LogsOfRun): Promise<RunLogPage>;
  /** Over all runs of the environment. Throws the Failure `needs_clickhouse` where the store can't. */
  searchLogs(environment: string, search: LogSearch, cursor: string | null): Promise<LogSearchPage>;
  /** How many lines a search finds in each `step` milliseconds, by level. Like `searchLogs`. */
  countLogs(
    environment: string,
    search: LogSearch,
    step: number,
  ): Promise<{ time: number; level: string; count: number }[]>;
  metricSeries(environment: string, query: MetricQuery): Promise<MetricSeries[]>;
}

/** The store that the server is set up with: ClickHouse where there is an address of one, else the embedded one. */
export const openTelemetryStore = (env: Bindings): ClickHouseStore | EmbeddedStore =>
  hasClickHouse(env)
    ? new ClickHouseStore({
        client: openClickHouse(env).client,
        retentionDays: (environment) => retentionDaysOf(env, environment),
      })
    : new EmbeddedStore(env);
