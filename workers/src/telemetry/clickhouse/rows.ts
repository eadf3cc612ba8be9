import {
  type LogRecord,
  LogRecord as LogRecordSchema,
  type MetricPoint,
  type SpanRecord,
  SpanRecord as SpanRecordSchema,
} from "@acme/sdk/contract";
import type { TelemetryBatch } from "../store.ts";
import { fromMap, toMap } from "./attributes.ts";
import { msOf, plausibleTime, toDateTime } from "./times.ts";

/** The common columns of the rows of a batch. */
interface Common {
  environment: string;
  retentionDays: number;
  now: number;
}

export function logRows(batch: TelemetryBatch, { environment, retentionDays, now }: Common): object[] {
  return batch.logs.map((log, index) => ({
    environment_key: environment,
    run_id: log.runId ?? "",
    attempt: log.attempt ?? 0,
    seq: log.seq,
    row: log.seq > 0 ? 0 : rowOf(batch, index),
    time: toDateTime(plausibleTime(log.time, now)),
    level: log.level,
    message: log.message.toWellFormed(),
    attributes: toMap(log.properties ?? {}),
    trace_id: log.traceId ?? "",
    span_id: log.spanId ?? "",
    retention_days: retentionDays,
  }));
}

export const LOG_COLUMNS = `run_id, attempt, seq, toString(row) AS row_id, ${msOf("time")} AS ms, level, message, attributes, trace_id, span_id`;

export interface LogRow {
  run_id: string;
  attempt: number;
  seq: number;
  row_id: string;
  ms: number;
  level: LogRecord["level"];
  message: string;
  attributes: Record<string, string>;
  trace_id: string;
  span_id: string;
}

export function logOf(row: LogRow): LogRecord {
  const hasProperties = Object.keys(row.attributes).length > 0;
  return LogRecordSchema.parse({
    runId: row.run_id || null,
    attempt: row.attempt || null,
    seq: row.seq,
    time: row.ms,
    level: row.level,
    message: row.message,
    ...(hasProperties ? { properties: fromMap(row.attributes) } : {}),
    ...(row.trace_id ? { traceId: row.trace_id } : {}),
    ...(row.span_id ? { spanId: row.span_id } : {}),
  });
}

export function spanRows(batch: TelemetryBatch, { environment, retentionDays, now }: Common): object[] {
  return batch.spans.map((span) => ({
    environment_key: environment,
    trace_id: span.traceId,
    span_id: span.spanId,
    parent_span_id: span.parentSpanId ?? "",
    run_id: span.runId ?? "",
    attempt: span.attempt ?? 0,
    service: span.service ?? "",
    name: span.name.toWellFormed(),
    kind: span.kind,
    start_time: toDateTime(plausibleTime(span.startTime, now)),
    end_time: span.endTime === null ? null : toDateTime(plausibleTime(span.endTime, now)),
    status: span.status,
    message: span.message?.toWellFormed() ?? "",
    attributes: toMap(span.attributes),
    events: JSON.stringify(span.events),
    links: JSON.stringify(span.links),
    version: span.endTime === null ? 0 : 1,
    retention_days: retentionDays,
  }));
}

export const SPAN_COLUMNS = `trace_id, span_id, parent_span_id, run_id, attempt, service, name, kind,
  ${msOf("start_time")} AS start_ms, if(isNull(end_time), NULL, ${msOf("assumeNotNull(end_time)")}) AS end_ms, status, message,
  attributes, events, links`;

export interface SpanRow {
  trace_id: string;
  span_id: string;
  parent_span_id: string;
  run_id: string;
  attempt: number;
  service: string;
  name: string;
  kind: string;
  start_ms: number;
  end_ms: number | null;
  status: string;
  message: string;
  attributes: Record<string, string>;
  events: string;
  links: string;
}

export function spanOf(row: SpanRow): SpanRecord {
  return SpanRecordSchema.parse({
    traceId: row.trace_id,
    spanId: row.span_id,
    parentSpanId: row.parent_span_id || null,
    runId: row.run_id || null,
    attempt: row.attempt || null,
    service: row.service || null,
    name: row.name,
    kind: row.kind,
    startTime: row.start_ms,
    endTime: row.end_ms,
    status: row.status,
    ...(row.message ? { message: row.message } : {}),
    attributes: fromMap(row.attributes),
    events: JSON.parse(row.events) as unknown,
    links: JSON.parse(row.links) as unknown,
  });
}

export function metricRows(batch: TelemetryBatch, { environment, retentionDays, now }: Common): object[] {
  return batch.metrics.map((point: MetricPoint, index) => ({
    environment_key: environment,
    name: point.name,
    kind: point.kind,
    unit: point.unit,
    time: toDateTime(plausibleTime(point.time, now)),
    value: point.value,
    bounds: point.buckets?.bounds ?? [],
    counts: point.buckets?.counts ?? [],
    total: point.buckets?.sum ?? 0,
    count: point.buckets?.count ?? 0,
    attributes: toMap(point.attributes),
    run_id: point.runId ?? "",
    attempt: point.attempt ?? 0,
    row: rowOf(batch, index),
    retention_days: retentionDays,
  }));
}

/**
 * Returns a number that distinguishes a row from others of the same time, and is the same when its batch is
 * sent again: a 64-bit FNV-1a hash, as the decimal digits of a UInt64.
 */
function rowOf({ sender, number }: TelemetryBatch, index: number): string {
  let hash = 0xcbf29ce484222325n;
  for (const character of `${sender}\n${number}\n${index}`) {
    hash = ((hash ^ BigInt(character.codePointAt(0) as number)) * 0x100000001b3n) & 0xffffffffffffffffn;
  }
  return hash.toString();
}
