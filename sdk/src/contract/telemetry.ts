/**
 * The schemas of spans, log lines and metric points. The runtime records them, the container host sends them,
 * the Worker also accepts them over OTLP, and a `TelemetryStore` keeps them. Texts for people are cut to
 * their limits; texts that are compared (ids, names of attributes) are refused.
 */
import { z } from "zod";
import { cutString } from "./cut-string.ts";
import { LogEntry, SpanId, TraceId } from "./log-entry.ts";
import { TELEMETRY_LIMITS } from "./telemetry-limits.ts";
import { cutMiddle } from "./text.ts";

/** Milliseconds since the epoch, with fractions. */
const Time = z.number().min(0).max(8_640_000_000_000_000);
const RunId = z.string().max(128);
const Attempt = z.number().int().min(1);

const Scalar = z.union([cutString(TELEMETRY_LIMITS.attributeValueBytes), z.number(), z.boolean()]);
const AttributeValue = z.union([Scalar, z.array(Scalar).max(TELEMETRY_LIMITS.attributeItems)]);
export type AttributeValue = z.infer<typeof AttributeValue>;

/** Attributes beyond the limits of number and bytes are dropped; `acme.attributes.dropped` counts them. */
export const Attributes = z
  .record(z.string().max(TELEMETRY_LIMITS.attributeNameBytes), AttributeValue)
  .overwrite(boundAttributes);
export type Attributes = z.infer<typeof Attributes>;

function boundAttributes(attributes: Record<string, AttributeValue>): Record<string, AttributeValue> {
  const entries = Object.entries(attributes);
  const kept: Record<string, AttributeValue> = {};
  let bytes = 0;
  let count = 0;
  for (const [name, value] of entries) {
    bytes += name.length + (typeof value === "string" ? value.length : JSON.stringify(value).length);
    if (bytes > TELEMETRY_LIMITS.attributesBytes || count === TELEMETRY_LIMITS.attributes) break;
    kept[name] = value;
    count += 1;
  }
  if (count === entries.length) return attributes;
  return { ...kept, "acme.attributes.dropped": entries.length - count };
}

export const SPAN_KINDS = ["internal", "server", "client", "producer", "consumer"] as const;
export const SPAN_STATUSES = ["unset", "ok", "error"] as const;

export const SpanEvent = z.object({
  time: Time,
  name: cutString(TELEMETRY_LIMITS.nameBytes),
  attributes: Attributes,
});
export type SpanEvent = z.infer<typeof SpanEvent>;

export const SpanLink = z.object({ traceId: TraceId, spanId: SpanId, attributes: Attributes });
export type SpanLink = z.infer<typeof SpanLink>;

export const SpanRecord = z.object({
  traceId: TraceId,
  spanId: SpanId,
  parentSpanId: SpanId.nullable(),
  /** Null: the span is not from a run, but from a service that triggered one. */
  runId: RunId.nullable(),
  attempt: Attempt.nullable(),
  /** `service.name` of the service that recorded it. Null: a run recorded it. */
  service: cutString(TELEMETRY_LIMITS.nameBytes).nullable(),
  name: cutString(TELEMETRY_LIMITS.nameBytes),
  kind: z.enum(SPAN_KINDS),
  startTime: Time,
  /** Null: the span has not ended yet. It is sent again when it has. */
  endTime: Time.nullable(),
  status: z.enum(SPAN_STATUSES),
  /** Why its status is "error". */
  message: cutString(TELEMETRY_LIMITS.attributeValueBytes).optional(),
  attributes: Attributes,
  events: z.array(SpanEvent).max(TELEMETRY_LIMITS.eventsPerSpan),
  links: z.array(SpanLink).max(TELEMETRY_LIMITS.linksPerSpan),
});
export type SpanRecord = z.infer<typeof SpanRecord>;

export const LogLevel = LogEntry.shape.level;
export type LogLevel = z.infer<typeof LogLevel>;

export const LogRecord = LogEntry.extend({
  /** Null: the log line is from a service, not from a run. */
  runId: RunId.nullable(),
  attempt: Attempt.nullable(),
  /**
   * The line's number in the log of its run, from 1, assigned by the run's feed. 0: the line is not from a
   * run.
   */
  seq: z.number().int().min(0),
});
export type LogRecord = z.infer<typeof LogRecord>;

export const METRIC_KINDS = ["gauge", "sum", "histogram"] as const;

/** Counts by bucket. `counts` has one element more than `bounds`, for values above the last bound. */
export const MetricBuckets = z.object({
  bounds: z.array(z.number()).max(TELEMETRY_LIMITS.buckets),
  counts: z.array(z.number().min(0)).max(TELEMETRY_LIMITS.buckets + 1),
  sum: z.number(),
  count: z.number().min(0),
});
export type MetricBuckets = z.infer<typeof MetricBuckets>;

export const MetricPoint = z.object({
  name: z.string().min(1).max(TELEMETRY_LIMITS.nameBytes),
  /** A sum has counted since its start; a gauge is the value at that time. */
  kind: z.enum(METRIC_KINDS),
  unit: z.string().max(64),
  /** The value of a gauge or sum; the mean of a histogram. */
  value: z.number(),
  buckets: MetricBuckets.optional(),
  time: Time,
  attributes: Attributes,
  runId: RunId.nullable(),
  attempt: Attempt.nullable(),
});
export type MetricPoint = z.infer<typeof MetricPoint>;

/** Schema of a span's name or of an attribute's value, cut to the limit. */
export const cutName = (text: string): string => cutMiddle(text, TELEMETRY_LIMITS.nameBytes);
