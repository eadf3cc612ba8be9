/** One step of the schema. A released step never changes: later changes are new steps. */
export interface Migration {
  version: number;
  name: string;
  statements: readonly string[];
}

/**
 * Rules for all tables:
 * - `environment_key` comes first in every sorting key, because every query is about one environment.
 * - Partitions are days and the retention of their rows, so that a day that has expired for some
 *   organizations is dropped as whole parts while others keep theirs, and nothing is rewritten.
 * - ReplacingMergeTree, sorted by what identifies a row: a batch that is stored twice leaves no second row, whatever the
 *   server does about insert tokens.
 */
const RETENTION = (time: string): string => `
    PARTITION BY (toDate(${time}), retention_days)
    TTL toDateTime(${time}) + toIntervalDay(retention_days)`;

const SETTINGS = "ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000";

const LOGS = `
  CREATE TABLE IF NOT EXISTS logs (
    environment_key LowCardinality(String),
    run_id String CODEC(ZSTD(1)),
    attempt UInt32 CODEC(T64, ZSTD(1)),
    /* The number of the line in the log of its run; 0: it is not of a run, and row tells it from others. */
    seq UInt64 CODEC(Delta, ZSTD(1)),
    row UInt64 CODEC(ZSTD(1)),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    level LowCardinality(String),
    message String CODEC(ZSTD(3)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    retention_days UInt16 CODEC(ZSTD(1)),
    INDEX by_run run_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_text lower(message) TYPE text(tokenizer = splitByNonAlpha),
    INDEX by_attribute arrayMap((name, value) -> concat(name, '=', value), mapKeys(attributes), mapValues(attributes))
      TYPE bloom_filter(0.01) GRANULARITY 1
  )
  ENGINE = ReplacingMergeTree
  ${RETENTION("time")}
  PRIMARY KEY (environment_key, time)
  ORDER BY (environment_key, time, run_id, seq, row)
  SETTINGS ${SETTINGS}`;

const SPANS = `
  CREATE TABLE IF NOT EXISTS spans (
    environment_key LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    run_id String CODEC(ZSTD(1)),
    attempt UInt32 CODEC(T64, ZSTD(1)),
    service LowCardinality(String),
    name String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    start_time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    end_time Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    status LowCardinality(String),
    message String CODEC(ZSTD(3)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    /* JSON. */
    events String CODEC(ZSTD(3)),
    links String CODEC(ZSTD(3)),
    /* 1 when it has ended: that row replaces the one of its start. */
    version UInt8,
    retention_days UInt16 CODEC(ZSTD(1)),
    INDEX by_run run_id TYPE bloom_filter(0.001) GRANULARITY 1
  )
  ENGINE = ReplacingMergeTree(version)
  ${RETENTION("start_time")}
  ORDER BY (environment_key, trace_id, span_id)
  SETTINGS ${SETTINGS}`;

const METRICS = `
  CREATE TABLE IF NOT EXISTS metrics (
    environment_key LowCardinality(String),
    name LowCardinality(String),
    kind LowCardinality(String),
    unit LowCardinality(String),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    value Float64 CODEC(Gorilla, ZSTD(1)),
    bounds Array(Float64) CODEC(ZSTD(1)),
    counts Array(UInt64) CODEC(ZSTD(1)),
    total Float64 CODEC(ZSTD(1)),
    count UInt64 CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    run_id String CODEC(ZSTD(1)),
    attempt UInt32 CODEC(T64, ZSTD(1)),
    row UInt64 CODEC(ZSTD(1)),
    retention_days UInt16 CODEC(ZSTD(1)),
    INDEX by_run run_id TYPE bloom_filter(0.001) GRANULARITY 1
  )
  ENGINE = ReplacingMergeTree
  ${RETENTION("time")}
  PRIMARY KEY (environment_key, name, time)
  ORDER BY (environment_key, name, time, row)
  SETTINGS ${SETTINGS}`;

/** Series by minute: what charts over days read in place of the points. */
const METRIC_MINUTES = `
  CREATE TABLE IF NOT EXISTS metric_minutes (
    environment_key LowCardinality(String),
    name LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
    /* Hash of the attributes, which are not a type that rows can be sorted by. */
    series UInt64 CODEC(ZSTD(1)),
    attributes SimpleAggregateFunction(any, Map(String, String)) CODEC(ZSTD(1)),
    unit SimpleAggregateFunction(any, String),
    min SimpleAggregateFunction(min, Float64),
    max SimpleAggregateFunction(max, Float64),
    sum SimpleAggregateFunction(sum, Float64),
    count SimpleAggregateFunction(sum, UInt64),
    last AggregateFunction(argMax, Float64, DateTime64(6, 'UTC')),
    retention_days UInt16 CODEC(ZSTD(1))
  )
  ENGINE = AggregatingMergeTree
  ${RETENTION("minute")}
  ORDER BY (environment_key, name, minute, series)
  SETTINGS ${SETTINGS}`;

const METRIC_MINUTES_VIEW = `
  CREATE MATERIALIZED VIEW IF NOT EXISTS metric_minutes_view TO metric_minutes AS
  SELECT
    environment_key,
    name,
    toStartOfMinute(time) AS minute,
    cityHash64(points.attributes) AS series,
    any(points.attributes) AS attributes,
    any(points.unit) AS unit,
    min(value) AS min,
    max(value) AS max,
    sum(value) AS sum,
    toUInt64(count()) AS count,
    argMaxState(value, time) AS last,
    retention_days
  FROM metrics AS points
  GROUP BY environment_key, name, minute, series, retention_days`;

/** Rows of runs, as the transactional store has them: the newest version of each. Times are null until they happen. */
const RUNS = `
  CREATE TABLE IF NOT EXISTS runs (
    id String CODEC(ZSTD(1)),
    environment_key LowCardinality(String),
    task LowCardinality(String),
    queue LowCardinality(String),
    status LowCardinality(String),
    version UInt64 CODEC(ZSTD(1)),
    concurrency_key Nullable(String) CODEC(ZSTD(1)),
    tags Array(String) CODEC(ZSTD(1)),
    is_test UInt8 CODEC(ZSTD(1)),
    attempts UInt32 CODEC(T64, ZSTD(1)),
    machine LowCardinality(String),
    deployment_version LowCardinality(String),
    idempotency_key Nullable(String) CODEC(ZSTD(1)),
    idempotency_key_scope LowCardinality(String),
    ttl_ms Nullable(UInt64) CODEC(ZSTD(1)),
    delay_until Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    created_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    queued_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    started_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    completed_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    expired_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    updated_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    usage_ms UInt64 CODEC(ZSTD(1)),
    max_duration Nullable(UInt32) CODEC(ZSTD(1)),
    depth UInt32 CODEC(T64, ZSTD(1)),
    parent_run_id Nullable(String) CODEC(ZSTD(1)),
    root_run_id Nullable(String) CODEC(ZSTD(1)),
    batch_id Nullable(String) CODEC(ZSTD(1)),
    schedule_id Nullable(String) CODEC(ZSTD(1)),
    replayed_from Nullable(String) CODEC(ZSTD(1)),
    bulk_actions Array(String) CODEC(ZSTD(1)),
    error_message Nullable(String) CODEC(ZSTD(3)),
    retention_days UInt16 CODEC(ZSTD(1)),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_tag tags TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_batch batch_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_root root_run_id TYPE bloom_filter(0.01) GRANULARITY 1
  )
  ENGINE = ReplacingMergeTree(version)
  ${RETENTION("created_at")}
  ORDER BY (environment_key, created_at, id)
  SETTINGS ${SETTINGS}`;

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: "logs, spans, metrics and runs",
    statements: [LOGS, SPANS, METRICS, METRIC_MINUTES, METRIC_MINUTES_VIEW, RUNS],
  },
];

export const LATEST_VERSION = Math.max(...MIGRATIONS.map(({ version }) => version));
