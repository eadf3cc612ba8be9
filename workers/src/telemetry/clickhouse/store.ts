import { type LogRecord, parseRunId, type SpanRecord } from "@acme/sdk/contract";
import type { ClickHouseClient } from "@clickhouse/client-web";
import { Failure } from "../../http/failure.ts";
import type {
  LogSearch,
  LogSearchPage,
  LogsOfRun,
  MetricQuery,
  MetricSeries,
  ReceivedBatch,
  RunLogPage,
  SpanPage,
  TelemetryBatch,
  TelemetryStore,
} from "../store.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { unavailable } from "./errors.ts";
import { metricStatement, type SeriesRow, seriesOf } from "./metric-series.ts";
import {
  LOG_COLUMNS,
  type LogRow,
  logOf,
  logRows,
  metricRows,
  SPAN_COLUMNS,
  type SpanRow,
  spanOf,
  spanRows,
} from "./rows.ts";
import { messageConditions, searchConditions } from "./search.ts";
import { toDateTime } from "./times.ts";

const DAY_MS = 86_400_000;
/** A host's clock may be behind the server's, and a waiting run logs long after its creation. */
const CLOCKS_DIFFER_MS = 2 * DAY_MS;

/**
 * The server gathers rows of many senders and writes them together; it answers when they are on disk. The
 * tables replace rows with the same identity, so a repeated batch changes nothing.
 */
const GATHERED = { async_insert: 1, wait_for_async_insert: 1 } as const;

/**
 * Metric points feed the sums of a materialized view, which counts what is inserted: the token of a batch keeps it from being
 * inserted, and counted, twice. Servers know the tokens of inserts that they do not gather.
 */
const once = (token: string) =>
  ({
    async_insert: 0,
    insert_deduplicate: 1,
    insert_deduplication_token: token,
    deduplicate_blocks_in_dependent_materialized_views: 1,
  }) as const;

interface Options {
  client: ClickHouseClient;
  /** How long rows of an environment are kept. */
  retentionDays(environment: string): Promise<number>;
}

/** Spans, log lines and metric points of all environments in ClickHouse. */
export class ClickHouseStore implements TelemetryStore {
  readonly kind = "clickhouse";
  readonly #client: ClickHouseClient;
  readonly #retentionDays: Options["retentionDays"];

  constructor({ client, retentionDays }: Options) {
    this.#client = client;
    this.#retentionDays = retentionDays;
  }

  append(environment: string, batch: TelemetryBatch): Promise<void> {
    return this.appendAll([{ environment, batch }]);
  }

  /** Stores batches of many senders together: all of them, or, where it throws, perhaps some of them. */
  async appendAll(received: ReceivedBatch[]): Promise<void> {
    const now = Date.now();
    const days = new Map<string, Promise<number>>();
    const each = await Promise.all(
      received.map(async ({ environment, batch }) => {
        const ofEnvironment = days.get(environment) ?? this.#retentionDays(environment);
        days.set(environment, ofEnvironment);
        return { batch, common: { environment, retentionDays: await ofEnvironment, now } };
      }),
    );
    const logs = each.flatMap(({ batch, common }) => logRows(batch, common));
    const spans = each.flatMap(({ batch, common }) => spanRows(batch, common));
    await Promise.all([
      this.#insert("logs", logs, GATHERED),
      this.#insert("spans", spans, GATHERED),
      ...each.map(({ batch, common }) => {
        const token = `${common.environment}/${batch.sender}/${batch.number}`;
        return this.#insert("metrics", metricRows(batch, common), once(token));
      }),
    ]);
  }

  async trace(
    environment: string,
    traceId: string,
    { after, limit }: { after: string | null; limit: number },
  ): Promise<SpanPage> {
    const [, time = "0", id = ""] = /^(\d{1,17})~([0-9a-f]{16})$/.exec(after ?? "") ?? [];
    const rows = await this.#select<SpanRow & { micros: string }>(
      `SELECT ${SPAN_COLUMNS}, toString(toUnixTimestamp64Micro(start_time)) AS micros FROM spans FINAL
       WHERE environment_key = {environment:String} AND trace_id = {traceId:String}
         AND (start_time, span_id) > (fromUnixTimestamp64Micro({time:Int64}, 'UTC'), {id:String})
       ORDER BY start_time, span_id LIMIT {limit:UInt32}`,
      { environment, traceId, time, id, limit },
    );
    const last = rows.length === limit ? rows.at(-1) : undefined;
    return {
      spans: rows.map(spanOf),
      next: last ? `${last.micros}~${last.span_id}` : null,
      dropped: 0,
    };
  }

  async span(environment: string, traceId: string, spanId: string): Promise<SpanRecord | null> {
    const rows = await this.#select<SpanRow>(
      `SELECT ${SPAN_COLUMNS} FROM spans FINAL
       WHERE environment_key = {environment:String} AND trace_id = {traceId:String} AND span_id = {spanId:String} LIMIT 1`,
      { environment, traceId, spanId },
    );
    return rows[0] ? spanOf(rows[0]) : null;
  }

  async logsOfRun(
    environment: string,
    runId: string,
    { after, limit, levels, text }: LogsOfRun,
  ): Promise<RunLogPage> {
    const { sql, params } = messageConditions(text === undefined ? [] : [text.toLowerCase()]);
    if (levels) sql.push("level IN {levels:Array(String)}");
    const since = (parseRunId(runId)?.createdAt ?? 0) - CLOCKS_DIFFER_MS;
    const rows = await this.#select<LogRow>(
      `SELECT ${LOG_COLUMNS} FROM logs
       WHERE ${["environment_key = {environment:String}", "run_id = {runId:String}", "time >= {since:DateTime64(6, 'UTC')}", "seq > {after:UInt64}", ...sql].join(" AND ")}
       ORDER BY seq LIMIT 1 BY seq LIMIT {limit:UInt32}`,
      {
        ...params,
        environment,
        runId,
        since: toDateTime(Math.max(0, since)),
        after,
        limit,
        ...(levels ? { levels } : {}),
      },
    );
    const logs = rows.map(logOf);
    return { logs, next: logs.length === limit ? (logs.at(-1)?.seq ?? null) : null, dropped: 0 };
  }

  async searchLogs(environment: string, search: LogSearch, cursor: string | null): Promise<LogSearchPage> {
    const { sql, params } = searchConditions(environment, search);
    if (cursor !== null) {
      const place = decodeCursor(cursor);
      if (!place)
        throw new Failure(400, "invalid_cursor", "The cursor is not one that a search of logs has returned.");
      sql.push(
        "time <= fromUnixTimestamp64Micro({micros:Int64}, 'UTC')",
        `(time, run_id, seq, row) <
           (fromUnixTimestamp64Micro({micros:Int64}, 'UTC'), {lastRunId:String}, {lastSeq:UInt64}, {lastRow:UInt64})`,
      );
      Object.assign(params, {
        micros: place.micros,
        lastRunId: place.runId,
        lastSeq: place.seq,
        lastRow: place.row,
      });
    }
    // The inner query reads lines in the order in which they are stored, and ends when it has enough: LIMIT BY beside it would
    // have it read all that match. It takes more lines than the page has, because some may be there twice.
    const order = "ORDER BY time DESC, run_id DESC, seq DESC, row DESC";
    const rows = await this.#select<LogRow & { micros: string; taken: number }>(
      `SELECT ${LOG_COLUMNS}, toString(toUnixTimestamp64Micro(time)) AS micros, taken FROM (
         SELECT *, count() OVER () AS taken FROM (
           SELECT run_id, attempt, seq, row, time, level, message, attributes, trace_id, span_id FROM logs
           WHERE ${sql.join(" AND ")} ${order} LIMIT {most:UInt32}))
       ${order} LIMIT 1 BY time, run_id, seq, row LIMIT {limit:UInt32}`,
      { ...params, limit: search.limit, most: 2 * search.limit },
    );
    const isMore = rows.length === search.limit || rows[0]?.taken === 2 * search.limit;
    const last = isMore ? rows.at(-1) : undefined;
    const next = last
      ? encodeCursor({ micros: last.micros, runId: last.run_id, seq: last.seq, row: last.row_id })
      : null;
    return { logs: rows.map((row): LogRecord => logOf(row)), next };
  }

  /** Returns how many lines a search finds in each step, by level. */
  async countLogs(
    environment: string,
    search: LogSearch,
    step: number,
  ): Promise<{ time: number; level: string; count: number }[]> {
    const { sql, params } = searchConditions(environment, search);
    return this.#select(
      `SELECT intDiv(toUnixTimestamp64Milli(time), {step:UInt64}) * {step:UInt64} AS time, level, count() AS count
       FROM (SELECT time, level FROM logs WHERE ${sql.join(" AND ")})
       GROUP BY time, level ORDER BY time, level`,
      { ...params, step },
    );
  }

  async metricSeries(environment: string, query: MetricQuery): Promise<MetricSeries[]> {
    const { sql, params } = metricStatement(environment, query);
    return seriesOf(await this.#select<SeriesRow>(sql, params));
  }

  async #insert(table: string, values: object[], settings: Record<string, string | number>): Promise<void> {
    if (values.length === 0) return;
    await this.#client.insert({
      table,
      values,
      format: "JSONEachRow",
      clickhouse_settings: {
        ...settings,
        date_time_input_format: "best_effort",
        // The rows of a batch are in few partitions, because they are of one environment and time; a delayed
        // batch may span midnight.
        input_format_json_read_numbers_as_strings: 1,
      },
    });
  }

  /** @throws Failure if ClickHouse does not answer */
  async #select<T>(query: string, query_params: Record<string, unknown>): Promise<T[]> {
    try {
      const result = await this.#client.query({
        query,
        query_params,
        format: "JSONEachRow",
        clickhouse_settings: { output_format_json_quote_64bit_integers: 0, max_execution_time: 15 },
      });
      return await result.json<T>();
    } catch (error) {
      throw unavailable(error);
    }
  }
}
