import { isFinal, MACHINE_PRESETS, RUN_STATUS, RUN_STATUSES } from "@acme/sdk/contract";
import { priceOf } from "../views/run-cost.ts";

export interface QueryColumn {
  name: string;
  /** ClickHouse's name of the type. */
  type: string;
  description: string;
  /** The expression over columns of the stored table, which is `__rows`. */
  sql: string;
  allowedValues?: string[];
  /** True: the column is shown first. */
  core?: boolean;
}

export interface QueryTable {
  name: string;
  description: string;
  /** The column to which the request's period applies. */
  timeColumn: string;
  /** Name of the stored table. */
  stored: string;
  storedTime: string;
  /** True: rows are replaced by newer versions, so the table is read with FINAL. */
  final: boolean;
  columns: QueryColumn[];
}

const list = (values: string[]): string => `[${values.map((value) => `'${value}'`).join(", ")}]`;

/** `SYSTEM_FAILURE` is shown as `System failure`. */
function friendly(publicStatus: string): string {
  const words = publicStatus.toLowerCase().replaceAll("_", " ");
  return words[0]?.toUpperCase() + words.slice(1);
}

const STATUS_NAMES = RUN_STATUSES.map((status) => friendly(RUN_STATUS[status].public));
const STATUS = `transform(__rows.status, ${list(RUN_STATUSES)}, ${list(STATUS_NAMES)}, __rows.status)`;
const FINISHED = `__rows.status IN ${`(${RUN_STATUSES.filter(isFinal)
  .map((status) => `'${status}'`)
  .join(", ")})`}`;

/** Returns an expression for the milliseconds between two times, which is null until both are known. */
const between = (from: string, to: string): string =>
  `toUnixTimestamp64Milli(__rows.${to}) - toUnixTimestamp64Milli(__rows.${from})`;

/** Prices are in cents. */
function computeCost(): string {
  const prices = MACHINE_PRESETS.map((machine) => priceOf(machine));
  return `__rows.usage_ms / 1000 * transform(__rows.machine, ${list([...MACHINE_PRESETS])}, [${prices.map((price) => `toFloat64(${price})`).join(", ")}], toFloat64(0)) / 100`;
}
const invocationCost = (): string => `if(isNull(__rows.started_at), 0, toFloat64(${priceOf("run")})) / 100`;

const column = (
  name: string,
  type: string,
  description: string,
  sql: string = `__rows.${name}`,
  more: Pick<QueryColumn, "allowedValues" | "core"> = {},
): QueryColumn => ({ name, type, description, sql, ...more });

const core = { core: true } as const;
const time = "DateTime64(3)";

/** Columns with the scope of the query, which are the same in every table. */
const SCOPE = [
  column("environment", "String", "Slug of the environment", "{environment_slug:String}"),
  column("project", "String", "Reference of the project", "{project_ref:String}"),
  column("environment_type", "String", "Type of the environment", "{environment_type:String}"),
];

/**
 * Returns the tables that queries can read. Prices are configured on the server, so they are known only at
 * run time.
 */
export const queryTables = (): QueryTable[] => [
  {
    name: "runs",
    description: "Every run, with its newest state",
    timeColumn: "triggered_at",
    stored: "runs",
    storedTime: "created_at",
    final: true,
    columns: [
      column("run_id", "String", "Id of the run", "__rows.id", core),
      column("task_identifier", "LowCardinality(String)", "Id of the task", "__rows.task", core),
      column("status", "String", "State of the run", STATUS, {
        ...core,
        allowedValues: [...new Set(STATUS_NAMES)],
      }),
      column("triggered_at", time, "When it was triggered", "__rows.created_at", core),
      column("queued_at", "Nullable(DateTime64(3))", "When it was queued"),
      column(
        "dequeued_at",
        "Nullable(DateTime64(3))",
        "When a host took it: as executed_at",
        "__rows.started_at",
      ),
      column(
        "executed_at",
        "Nullable(DateTime64(3))",
        "When its first attempt began",
        "__rows.started_at",
        core,
      ),
      column("completed_at", "Nullable(DateTime64(3))", "When it ended", undefined, core),
      column("expired_at", "Nullable(DateTime64(3))", "When its ttl passed"),
      column("delay_until", "Nullable(DateTime64(3))", "Until when it was delayed"),
      column("updated_at", time, "When it changed last"),
      column(
        "execution_duration",
        "Nullable(Int64)",
        "From its start to its end, in ms",
        between("started_at", "completed_at"),
      ),
      column(
        "total_duration",
        "Nullable(Int64)",
        "From its trigger to its end, in ms",
        between("created_at", "completed_at"),
      ),
      column(
        "queued_duration",
        "Nullable(Int64)",
        "From queued to started, in ms",
        between("queued_at", "started_at"),
      ),
      column("usage_duration", "UInt64", "Time on a machine, in ms", "__rows.usage_ms"),
      column("compute_cost", "Float64", "Cost of the time on a machine, in dollars", computeCost()),
      column("invocation_cost", "Float64", "Cost of its start, in dollars", invocationCost()),
      column("total_cost", "Float64", "Both costs, in dollars", `${computeCost()} + ${invocationCost()}`),
      column("queue", "LowCardinality(String)", "Name of the queue", undefined, core),
      column("machine", "LowCardinality(String)", "Machine preset", undefined, {
        allowedValues: [...MACHINE_PRESETS],
      }),
      column(
        "task_version",
        "LowCardinality(String)",
        "Version of the deployment",
        "__rows.deployment_version",
      ),
      column("tags", "Array(String)", "Tags"),
      column("attempt_count", "UInt32", "Attempts so far", "__rows.attempts"),
      column("is_finished", "UInt8", "1: it has ended", `toUInt8(${FINISHED})`),
      column("is_test", "UInt8", "1: it was triggered as a test"),
      column("is_root_run", "UInt8", "1: no other run triggered it", "toUInt8(__rows.depth = 0)"),
      column("is_child_run", "UInt8", "1: another run triggered it", "toUInt8(__rows.depth > 0)"),
      column("depth", "UInt32", "Levels of runs above it"),
      column("parent_run_id", "Nullable(String)", "Run that triggered it"),
      column("root_run_id", "Nullable(String)", "The root run, to which its chain of parents leads"),
      column("batch_id", "Nullable(String)", "Batch that it belongs to"),
      column("schedule_id", "Nullable(String)", "Schedule that triggered it"),
      column(
        "bulk_action_group_ids",
        "Array(String)",
        "Bulk actions that changed or created it",
        "__rows.bulk_actions",
      ),
      column("replayed_from", "Nullable(String)", "Run that it is a copy of"),
      column("idempotency_key", "String", "Idempotency key", "ifNull(__rows.idempotency_key, '')"),
      column("idempotency_key_scope", "LowCardinality(String)", "Scope of the key"),
      column("concurrency_key", "String", "Concurrency key", "ifNull(__rows.concurrency_key, '')"),
      column("has_delay", "UInt8", "1: it was delayed", "toUInt8(isNotNull(__rows.delay_until))"),
      column(
        "ttl",
        "String",
        "Time to live, such as 600s",
        "if(isNull(__rows.ttl_ms), '', concat(toString(intDiv(assumeNotNull(__rows.ttl_ms), 1000)), 's'))",
      ),
      column("max_duration", "Nullable(UInt32)", "Maximum number of seconds on a machine"),
      column("error_message", "Nullable(String)", "First line of the error of a failed run", undefined, core),
      ...SCOPE,
    ],
  },
  {
    name: "logs",
    description: "Log lines of runs and services",
    timeColumn: "time",
    stored: "logs",
    storedTime: "time",
    final: false,
    columns: [
      column("time", "DateTime64(6)", "When it was written", undefined, core),
      column("level", "LowCardinality(String)", "Level", undefined, {
        ...core,
        allowedValues: ["trace", "debug", "log", "info", "warn", "error"],
      }),
      column("message", "String", "Message", undefined, core),
      column("run_id", "String", "Run that wrote it; empty for a service", undefined, core),
      column("attempt", "UInt32", "Attempt of the run"),
      column("sequence", "UInt64", "Number of the line in the run's log", "__rows.seq"),
      column(
        "attributes",
        "Map(LowCardinality(String), String)",
        "Properties; values other than strings as JSON",
        undefined,
        core,
      ),
      column("trace_id", "String", "Trace"),
      column("span_id", "String", "Span in which it was written"),
      ...SCOPE,
    ],
  },
  {
    name: "spans",
    description: "Spans of traces: attempts, steps, waits, requests and the user's own",
    timeColumn: "start_time",
    stored: "spans",
    storedTime: "start_time",
    final: true,
    columns: [
      column("trace_id", "String", "Trace", undefined, core),
      column("span_id", "String", "Id of the span", undefined, core),
      column("parent_span_id", "String", "Parent span; empty if there is none"),
      column("run_id", "String", "Run; empty for a service", undefined, core),
      column("attempt", "UInt32", "Attempt of the run"),
      column("service", "LowCardinality(String)", "Service that recorded it; empty in a run"),
      column("name", "String", "Name", undefined, core),
      column("kind", "LowCardinality(String)", "Kind", undefined, {
        allowedValues: ["internal", "server", "client", "producer", "consumer"],
      }),
      column("start_time", "DateTime64(6)", "When it began", undefined, core),
      column("end_time", "Nullable(DateTime64(6))", "When it ended"),
      column(
        "duration",
        "Nullable(Float64)",
        "Length in ms",
        "(toUnixTimestamp64Micro(__rows.end_time) - toUnixTimestamp64Micro(__rows.start_time)) / 1000",
        core,
      ),
      column("status", "LowCardinality(String)", "Status", undefined, {
        ...core,
        allowedValues: ["unset", "ok", "error"],
      }),
      column("message", "String", "Why its status is error"),
      column(
        "attributes",
        "Map(LowCardinality(String), String)",
        "Attributes; values other than strings as JSON",
      ),
      ...SCOPE,
    ],
  },
  {
    name: "metrics",
    description: "Metric points of runs and services",
    timeColumn: "time",
    stored: "metrics",
    storedTime: "time",
    final: true,
    columns: [
      column("metric_name", "LowCardinality(String)", "Name of the metric", "__rows.name", core),
      column("metric_type", "LowCardinality(String)", "Kind of the metric", "__rows.kind", {
        allowedValues: ["gauge", "sum", "histogram"],
      }),
      column("unit", "LowCardinality(String)", "Unit"),
      column("time", "DateTime64(6)", "When it was measured", undefined, core),
      column(
        "bucket_start",
        "DateTime",
        "Start of the ten seconds in which it was measured",
        "toStartOfInterval(__rows.time, toIntervalSecond(10))",
      ),
      column("value", "Float64", "Value; for a histogram its mean", undefined, core),
      column("metric_value", "Float64", "As value", "__rows.value"),
      column("attributes", "Map(LowCardinality(String), String)", "Attributes", undefined, core),
      column("run_id", "String", "Run; empty for a service", undefined, core),
      column("attempt", "UInt32", "Attempt of the run"),
      ...SCOPE,
    ],
  },
];
