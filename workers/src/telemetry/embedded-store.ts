import type { LogRecord, SpanRecord } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { metricsFeed, runFeed, traceFeed } from "../objects.ts";
import { seriesOf } from "./metric-series.ts";
import { needsClickHouse } from "./needs-clickhouse.ts";
import { retentionDaysOf } from "./retention.ts";
import type {
  LogSearchPage,
  LogsOfRun,
  MetricQuery,
  MetricSeries,
  RunLogPage,
  SpanPage,
  TelemetryBatch,
  TelemetryStore,
} from "./store.ts";

/** The maximum number of points that a query reads. */
const MAX_POINTS = 20_000;
const DAY_MS = 86_400_000;

/**
 * The store of a server without ClickHouse: logs and metrics of a run are in the run's feed, spans in the
 * feed of their trace. It finds only what belongs to one run or one trace.
 */
export class EmbeddedStore implements TelemetryStore {
  readonly kind = "embedded";
  readonly #env: Bindings;

  constructor(env: Bindings) {
    this.#env = env;
  }

  async append(environment: string, batch: TelemetryBatch): Promise<void> {
    await Promise.all([
      this.appendLogs(environment, batch),
      this.#appendSpans(environment, batch),
      this.#appendMetrics(environment, batch),
    ]);
  }

  /** Stores the lines that are of a run. Returns them with the numbers that they have in its log. */
  async appendLogs(environment: string, { sender, number, logs }: TelemetryBatch): Promise<LogRecord[]> {
    const keepMs = await this.#keepMs(environment);
    const byAttempt = groupBy(logs, ({ runId, attempt }) => (runId === null ? "" : `${runId} ${attempt}`));
    const stored = await Promise.all(
      [...byAttempt].map(async ([key, lines]) => {
        const { runId, attempt } = lines[0] as LogRecord;
        if (key === "" || runId === null) return lines;
        const batch = { sender: `${sender} ${attempt}`, number };
        const entries = lines.map(({ runId, attempt, seq, ...entry }) => entry);
        const first = await runFeed(this.#env, runId).appendLogs(attempt ?? 1, entries, batch, keepMs);
        return first === 0 ? [] : lines.map((line, index) => ({ ...line, seq: first + index }));
      }),
    );
    return stored.flat();
  }

  /**
   * Stores the lines of batches of one run, in their order. Returns the batches with the numbers that the lines have in its
   * log, also of lines that were stored before: another store may not have them yet.
   */
  async appendLogsOfRun(
    environment: string,
    runId: string,
    batches: TelemetryBatch[],
  ): Promise<TelemetryBatch[]> {
    const withLines = batches.filter(({ logs }) => logs.length > 0);
    if (withLines.length === 0) return batches;
    const named = withLines.map(({ sender, number, logs }) => {
      const attempt = logs[0]?.attempt ?? 1;
      const entries = logs.map(({ runId, attempt, seq, ...entry }) => entry);
      return { attempt, entries, batch: { sender: `${sender} ${attempt}`, number } };
    });
    const firsts = await runFeed(this.#env, runId).appendLogBatches(named, await this.#keepMs(environment));
    const firstOf = new Map(withLines.map((batch, index) => [batch, firsts[index] ?? 0]));
    return batches.map((batch) => {
      const first = firstOf.get(batch) ?? 0;
      const logs = first === 0 ? [] : batch.logs.map((line, index) => ({ ...line, seq: first + index }));
      return { ...batch, logs };
    });
  }

  async #appendSpans(environment: string, { sender, number, spans }: TelemetryBatch): Promise<void> {
    const keepMs = await this.#keepMs(environment);
    const byTrace = groupBy(spans, ({ traceId }) => traceId);
    await Promise.all(
      [...byTrace].map(([traceId, ofTrace]) =>
        traceFeed(this.#env, environment, traceId).appendSpans(ofTrace, { sender, number }, keepMs),
      ),
    );
  }

  async #appendMetrics(environment: string, { sender, number, metrics }: TelemetryBatch): Promise<void> {
    const keepMs = await this.#keepMs(environment);
    const byRun = groupBy(metrics, ({ runId }) => runId ?? "");
    await Promise.all(
      [...byRun].map(([runId, points]) => {
        const feed = runId === "" ? metricsFeed(this.#env, environment) : runFeed(this.#env, runId);
        return feed.appendMetrics(points, { sender, number }, keepMs);
      }),
    );
  }

  async #keepMs(environment: string): Promise<number> {
    return (await retentionDaysOf(this.#env, environment)) * DAY_MS;
  }

  async trace(
    environment: string,
    traceId: string,
    { after, limit }: { after: string | null; limit: number },
  ): Promise<SpanPage> {
    const from = after === null ? 0 : Number(after);
    const page = await traceFeed(this.#env, environment, traceId).listSpans(from, limit);
    return { ...page, next: page.next === null ? null : String(page.next) };
  }

  async span(environment: string, traceId: string, spanId: string): Promise<SpanRecord | null> {
    return traceFeed(this.#env, environment, traceId).retrieveSpan(spanId);
  }

  async logsOfRun(_environment: string, runId: string, query: LogsOfRun): Promise<RunLogPage> {
    const { lines, next, dropped } = await runFeed(this.#env, runId).listLogs(query);
    return { logs: lines.map((line) => ({ ...line, runId })), next, dropped };
  }

  async searchLogs(): Promise<LogSearchPage> {
    throw needsClickHouse("Searching the logs of many runs");
  }

  async countLogs(): Promise<never> {
    throw needsClickHouse("Counting the log lines of many runs");
  }

  async metricSeries(environment: string, query: MetricQuery): Promise<MetricSeries[]> {
    const feed =
      query.runId === undefined ? metricsFeed(this.#env, environment) : runFeed(this.#env, query.runId);
    const range = { from: query.from, to: query.to, limit: MAX_POINTS };
    return seriesOf(await feed.listMetrics(query.name, range), query);
  }
}

function groupBy<T>(items: T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
