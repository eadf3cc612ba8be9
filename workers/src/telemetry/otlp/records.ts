import {
  type Attributes,
  cutMiddle,
  cutName,
  LIMITS,
  type LogLevel,
  LogRecord,
  MetricPoint,
  parseRunId,
  SpanRecord,
  TELEMETRY_LIMITS,
} from "@acme/sdk/contract";
import {
  attributesOf,
  idOf,
  type Json,
  listOf,
  numberOf,
  objectOf,
  textOf,
  timeOf,
  valueOfAny,
} from "./values.ts";

/**
 * The owner of the records, by the request's credential. `runId` null: the credential is an environment's
 * key, and records can name any of its runs.
 */
export interface Sender {
  environmentKey: string;
  runId: string | null;
}

/** The stored and the rejected parts of a request. */
export interface Records<T> {
  records: T[];
  rejected: number;
  /** Why the first of them was rejected. */
  reason: string;
}

type Level = LogLevel;

const KINDS = ["internal", "internal", "server", "client", "producer", "consumer"] as const;
const STATUSES = ["unset", "ok", "error"] as const;
const RUN_ATTRIBUTE = "acme.run.id";
const ATTEMPT_ATTRIBUTE = "acme.attempt";

class Collector<T> implements Records<T> {
  readonly records: T[] = [];
  rejected = 0;
  reason = "";

  add(record: T | string): void {
    if (typeof record === "string") this.reject(record);
    else if (this.records.length >= TELEMETRY_LIMITS.otlpItems)
      this.reject(`A request has at most ${TELEMETRY_LIMITS.otlpItems} records`);
    else this.records.push(record);
  }

  reject(reason: string): void {
    this.rejected += 1;
    this.reason ||= reason;
  }
}

export function spansOf(request: unknown, sender: Sender, now: number): Records<SpanRecord> {
  const collector = new Collector<SpanRecord>();
  each(request, ["resourceSpans", "scopeSpans", "spans"], (span, { service, scope }) => {
    const traceId = idOf(span.traceId, 32);
    const spanId = idOf(span.spanId, 16);
    if (!traceId || !spanId) {
      collector.reject("A span has a traceId of 16 bytes and a spanId of 8, which are not all zero");
      return;
    }
    const attributes = attributesOf(span.attributes);
    const startTime = timeOf(span.startTimeUnixNano) ?? now;
    const status = objectOf(span.status);
    const message = textOf(status.message);
    const record = SpanRecord.safeParse({
      traceId,
      spanId,
      parentSpanId: idOf(span.parentSpanId, 16),
      ...runOf(sender, attributes),
      service,
      name: cutName(textOf(span.name)),
      kind: KINDS[numberOf(span.kind) ?? 0] ?? "internal",
      startTime,
      endTime: Math.max(timeOf(span.endTimeUnixNano) ?? startTime, startTime),
      status: STATUSES[numberOf(status.code) ?? 0] ?? "unset",
      ...(message ? { message: cutMiddle(message, TELEMETRY_LIMITS.attributeValueBytes) } : {}),
      attributes: { ...scope, ...attributes },
      events: listOf(span.events)
        .slice(0, TELEMETRY_LIMITS.eventsPerSpan)
        .map(objectOf)
        .map((event) => ({
          time: timeOf(event.timeUnixNano) ?? startTime,
          name: cutName(textOf(event.name)),
          attributes: attributesOf(event.attributes),
        })),
      links: listOf(span.links)
        .slice(0, TELEMETRY_LIMITS.linksPerSpan)
        .map(objectOf)
        .flatMap((link) => {
          const ids = { traceId: idOf(link.traceId, 32), spanId: idOf(link.spanId, 16) };
          return ids.traceId && ids.spanId ? [{ ...ids, attributes: attributesOf(link.attributes) }] : [];
        }),
    });
    collector.add(record.data ?? reasonOf(record.error));
  });
  return collector;
}

export function logsOf(request: unknown, sender: Sender, now: number): Records<LogRecord> {
  const collector = new Collector<LogRecord>();
  each(request, ["resourceLogs", "scopeLogs", "logRecords"], (log, { service, scope }) => {
    const attributes = attributesOf(log.attributes);
    const run = runOf(sender, attributes);
    const body = valueOfAny(log.body);
    const isText = typeof body === "string";
    const properties = {
      ...(isText || body === null ? {} : { body }),
      ...attributes,
      ...scope,
      ...(service === null ? {} : { "service.name": service }),
    };
    const record = LogRecord.safeParse({
      time: timeOf(log.timeUnixNano) ?? timeOf(log.observedTimeUnixNano) ?? now,
      level: levelOf(numberOf(log.severityNumber), textOf(log.severityText)),
      message: cutMiddle(isText ? body : (JSON.stringify(body) ?? ""), LIMITS.logMessageBytes),
      ...(Object.keys(properties).length > 0 ? { properties } : {}),
      ...run,
      seq: 0,
      traceId: idOf(log.traceId, 32) ?? undefined,
      spanId: idOf(log.spanId, 16) ?? undefined,
    });
    collector.add(record.data ?? reasonOf(record.error));
  });
  return collector;
}

export function metricsOf(request: unknown, sender: Sender, now: number): Records<MetricPoint> {
  const collector = new Collector<MetricPoint>();
  each(request, ["resourceMetrics", "scopeMetrics", "metrics"], (metric, { service, scope }) => {
    const { gauge, sum, histogram } = metric;
    const kind = histogram ? "histogram" : sum ? "sum" : "gauge";
    const data = histogram ?? sum ?? gauge;
    if (data === undefined) {
      collector.reject("Metrics are gauges, sums and histograms with explicit bounds");
      return;
    }
    for (const point of listOf(objectOf(data).dataPoints).map(objectOf)) {
      const attributes = attributesOf(point.attributes);
      const buckets = kind === "histogram" ? bucketsOf(point) : undefined;
      const value = buckets
        ? buckets.sum / Math.max(1, buckets.count)
        : (numberOf(point.asDouble) ?? numberOf(point.asInt));
      if (value === null) {
        collector.reject("A point has a value that is a finite number");
        continue;
      }
      const record = MetricPoint.safeParse({
        name: cutName(textOf(metric.name)),
        kind,
        unit: textOf(metric.unit).slice(0, 64),
        value,
        ...(buckets ? { buckets } : {}),
        time: timeOf(point.timeUnixNano) ?? now,
        ...runOf(sender, attributes),
        attributes: { ...scope, ...(service === null ? {} : { "service.name": service }), ...attributes },
      });
      collector.add(record.data ?? reasonOf(record.error));
    }
  });
  return collector;
}

function bucketsOf(point: Json) {
  const bounds = listOf(point.explicitBounds).map((bound) => numberOf(bound) ?? 0);
  const counts = listOf(point.bucketCounts).map((count) => Math.max(0, numberOf(count) ?? 0));
  return {
    bounds,
    counts,
    sum: numberOf(point.sum) ?? 0,
    count: Math.max(0, numberOf(point.count) ?? counts.reduce((total, count) => total + count, 0)),
  };
}

/** Calls `visit` with each record and the attributes of its resource and scope. */
function each(
  request: unknown,
  [resources, scopes, records]: [string, string, string],
  visit: (record: Json, of: { service: string | null; scope: Attributes }) => void,
): void {
  for (const resource of listOf(objectOf(request)[resources]).map(objectOf)) {
    const { "service.name": service } = attributesOf(objectOf(resource.resource).attributes);
    for (const scoped of listOf(resource[scopes]).map(objectOf)) {
      const name = textOf(objectOf(scoped.scope).name);
      const of = {
        service: typeof service === "string" ? cutName(service) : null,
        scope: name ? { "otel.scope.name": cutName(name) } : ({} as Attributes),
      };
      for (const record of listOf(scoped[records])) visit(objectOf(record), of);
    }
  }
}

/**
 * A run's token is valid only for that run; a key for any run of its environment that a record names. The
 * attributes that name them are removed.
 */
function runOf(
  { environmentKey, runId }: Sender,
  attributes: Attributes,
): { runId: string | null; attempt: number | null } {
  const { [RUN_ATTRIBUTE]: named, [ATTEMPT_ATTRIBUTE]: attempt } = attributes;
  delete attributes[RUN_ATTRIBUTE];
  delete attributes[ATTEMPT_ATTRIBUTE];
  const isOwn = typeof named === "string" && parseRunId(named)?.environmentKey === environmentKey;
  const of = runId ?? (isOwn ? named : null);
  const isAttempt =
    typeof attempt === "number" && Number.isInteger(attempt) && attempt > 0 && attempt < 1_000;
  return { runId: of, attempt: of !== null && isAttempt ? attempt : null };
}

/** Maps the ranges of OTLP's severity numbers to levels. */
function levelOf(severity: number | null, text: string): Level {
  if (severity === null || severity <= 0)
    return LEVELS.find((level) => level === text.toLowerCase()) ?? "info";
  if (severity <= 4) return "trace";
  if (severity <= 8) return "debug";
  if (severity <= 12) return "info";
  return severity <= 16 ? "warn" : "error";
}

const LEVELS: Level[] = ["trace", "debug", "log", "info", "warn", "error"];

const reasonOf = (error: { issues: { path: PropertyKey[]; message: string }[] } | undefined): string => {
  const issue = error?.issues[0];
  return issue ? `${issue.path.join(".")}: ${issue.message}` : "It is no valid record";
};
