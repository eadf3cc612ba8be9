import type { LogLevel, LogRecord, MetricPoint, SpanRecord } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { hasClickHouse, openClickHouse } from "./clickhouse/client.ts";
import { ClickHouseStore } from "./clickhouse/store.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { retentionDaysOf } from "./retention.ts";

/**
 * Records that one sender sends together. A sender numbers its batches in order, and repeats one with the
 * same number if it did not get the answer: a stored batch changes nothing. Sender and number identify a
 * batch within its environment.
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
  /** The number of spans of the trace that were not kept, because it has too many. */
  dropped: number;
}

export interface LogsOfRun {
  /** Returns the lines after this sequence number, oldest first. */
  after: number;
  limit: number;
  levels?: LogLevel[];
  /** Returns lines whose message contains this text, ignoring case. */
  text?: string;
}

export interface RunLogPage {
  logs: LogRecord[];
  /** The sequence number after which to continue; null: there are no further lines for now. */
  next: number | null;
  /** The number of lines at the beginning that are no longer kept. */
  dropped: number;
}

/** Times in milliseconds since the epoch. */
export interface LogSearch {
  from: number;
  to: number;
  /** Words that a message must contain. */
  text?: string;
  levels?: LogLevel[];
  tasks?: string[];
  runId?: string;
  /** Properties that must have these values. */
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
  /** The attribute for each of whose values there is a series. */
  groupBy?: string;
}

export interface MetricSeries {
  /** The value of `groupBy`; empty without grouping. */
  group: string;
  unit: string;
  points: { time: number; min: number; max: number; sum: number; count: number; last: number }[];
}

/**
 * Keeps and finds spans, log lines and metric points. Everything is scoped by the key of an environment,
 * which comes from the request's credential or the run's id, never from the request's contents.
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
  /** Searches all runs of the environment. Throws the Failure `needs_clickhouse` if the store can't. */
  searchLogs(environment: string, search: LogSearch, cursor: string | null): Promise<LogSearchPage>;
  /**
   * Returns how many lines a search finds in each `step` milliseconds, by level. Throws like `searchLogs`.
   */
  countLogs(
    environment: string,
    search: LogSearch,
    step: number,
  ): Promise<{ time: number; level: string; count: number }[]>;
  metricSeries(environment: string, query: MetricQuery): Promise<MetricSeries[]>;
}

/** Returns the configured store: ClickHouse if its address is set, otherwise the embedded one. */
export const openTelemetryStore = (env: Bindings): ClickHouseStore | EmbeddedStore =>
  hasClickHouse(env)
    ? new ClickHouseStore({
        client: openClickHouse(env).client,
        retentionDays: (environment) => retentionDaysOf(env, environment),
      })
    : new EmbeddedStore(env);
