import { z } from "zod";
import { LogLevel } from "../telemetry.ts";
import { commaList, QueryText, wholeNumber } from "./queries.ts";

const Time = z.iso.datetime();

/**
 * What a span describes. `run`, `attempt`: a run or an attempt; `step`, `wait`, `token`, `child`, `batch`: a
 * durable operation; `trace`: a call of `logger.trace`; `fetch`; `custom`: a span opened by the project's
 * code or its instrumentations; `service`: a span that an outside service sent.
 */
export const SPAN_TYPES = [
  "run",
  "attempt",
  "step",
  "wait",
  "token",
  "child",
  "batch",
  "trace",
  "fetch",
  "custom",
  "service",
] as const;

const Span = {
  id: z.string(),
  parentId: z.string().optional(),
  /** The run that recorded the span; for a span that no run recorded, the requested run. */
  runId: z.string(),
};

/** `duration` is in nanoseconds, as the published client expects. A span that has not ended is partial: its duration until now. */
const SpanState = {
  message: z.string(),
  startTime: Time,
  duration: z.number(),
  isError: z.boolean(),
  isPartial: z.boolean(),
  isCancelled: z.boolean(),
  level: z.string(),
  kind: z.enum(SPAN_TYPES),
  attemptNumber: z.number().optional(),
};

const TraceEvent = z.object({
  name: z.string(),
  time: Time,
  properties: z.record(z.string(), z.unknown()).optional(),
});

const TraceSpan = z.object({
  ...Span,
  data: z.object({
    ...SpanState,
    taskSlug: z.string().optional(),
    workerVersion: z.string().optional(),
    queueName: z.string().optional(),
    machinePreset: z.string().optional(),
    events: z.array(TraceEvent).optional(),
    properties: z.record(z.string(), z.unknown()).optional(),
  }),
});

export type TraceTreeSpan = z.infer<typeof TraceSpan> & { children: TraceTreeSpan[] };

export const TraceResponse = z.object({
  trace: z.object({
    traceId: z.string(),
    /** `children` are spans of the same form, in the order of their starts. */
    rootSpan: TraceSpan.extend({ children: z.array(z.unknown()) }),
    /** True: the trace has more spans or runs than are shown or kept. */
    truncated: z.boolean(),
  }),
});

export const TraceQuery = z.object({
  "page[size]": wholeNumber("Give a number from 1 to 10000").pipe(z.number().min(1).max(10_000)).optional(),
  "page[after]": QueryText.optional(),
});

export const TracePageSpan = z.object({ ...Span, ...SpanState });
export type TracePageSpan = z.infer<typeof TracePageSpan>;

/** The answer to a request with `page[size]` or `page[after]`: a flat list in the order of the spans' starts. */
export const TracePageResponse = z.object({
  data: z.array(TracePageSpan),
  attemptFailures: z.array(z.object({ spanId: z.string(), attemptNumber: z.number(), runId: z.string() })),
  pagination: z.object({ next: z.string().optional(), truncated: z.boolean().optional() }),
});
export type TracePageResponse = z.infer<typeof TracePageResponse>;

/** The response of `GET /api/v1/runs/{runId}/trace`: a page if the query requests one. */
export const TraceAnswer = z.union([TraceResponse, TracePageResponse]);

export const SpanResponse = z.object({
  spanId: z.string(),
  parentId: z.string().nullable(),
  runId: z.string(),
  message: z.string(),
  isError: z.boolean(),
  isPartial: z.boolean(),
  isCancelled: z.boolean(),
  level: z.string(),
  kind: z.enum(SPAN_TYPES),
  startTime: Time,
  durationMs: z.number(),
  /** Why the span failed. */
  error: z.string().optional(),
  properties: z.record(z.string(), z.unknown()),
  events: z.array(TraceEvent),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })),
  entityType: z.string(),
  triggeredRuns: z
    .array(z.object({ runId: z.string(), taskIdentifier: z.string(), status: z.string(), createdAt: Time }))
    .optional(),
});
export type SpanResponse = z.infer<typeof SpanResponse>;

/** The query of `GET /api/v1/runs/{runId}/logs`. */
export const RunLogsQuery = z.object({
  /** Returns the lines after this sequence number. */
  after: wholeNumber("Give the sequence number of a line").optional(),
  limit: wholeNumber("Give a number from 1 to 5000").pipe(z.number().min(1).max(5_000)).optional(),
  level: commaList(LogLevel).optional(),
  text: QueryText.optional(),
});

export const RunLogsResponse = z.object({
  /** Oldest first. */
  logs: z.array(
    z.object({
      seq: z.number(),
      time: Time,
      level: LogLevel,
      message: z.string(),
      attempt: z.number().nullable(),
      properties: z.record(z.string(), z.unknown()).optional(),
      traceId: z.string().optional(),
      spanId: z.string().optional(),
    }),
  ),
  /** Pass it as `after` to get the following lines. Absent: there are none yet. */
  next: z.number().optional(),
  /** The number of lines at the beginning that are no longer kept. */
  dropped: z.number(),
});
