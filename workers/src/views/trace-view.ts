import type { RunTrace } from "@acme/durable-objects/rpc";
import type { SpanEvent, SpanRecord } from "@acme/sdk/contract";
import { publicStatus, spanIdOfAttempt } from "@acme/sdk/contract";
import {
  SPAN_TYPES,
  type SpanResponse,
  type TracePageResponse,
  type TracePageSpan,
  type TraceTreeSpan,
} from "@acme/sdk/contract/api";
import type { Trace } from "../telemetry/trace.ts";
import { type ShownSpan, shownSpans } from "../telemetry/trace-tree.ts";
import { isoTime } from "./time.ts";

type SpanType = (typeof SPAN_TYPES)[number];

const TYPES: ReadonlySet<string> = new Set(SPAN_TYPES);

const typeOf = ({ attributes, runId }: SpanRecord): SpanType => {
  const kind = attributes["acme.kind"];
  if (typeof kind === "string" && TYPES.has(kind) && runId !== null) return kind as SpanType;
  return runId === null ? "service" : "custom";
};

const durationMs = ({ startTime, endTime }: SpanRecord, now: number): number =>
  Math.max(0, (endTime ?? now) - startTime);

function stateOf(span: ShownSpan, now: number) {
  return {
    message: span.name,
    startTime: isoTime(span.startTime),
    duration: Math.round(durationMs(span, now) * 1_000_000),
    isError: span.status === "error",
    isPartial: span.isPartial,
    isCancelled: span.isCancelled,
    level: "TRACE",
    kind: typeOf(span),
    attemptNumber: span.attempt ?? undefined,
  };
}

const eventsOf = (events: SpanEvent[]) =>
  events.map(({ name, time, attributes }) => ({ name, time: isoTime(time), properties: attributes }));

/** Returns the trace as one tree, below the topmost ancestor of the run. */
export function traceTree(trace: Trace, runId: string, now: number) {
  const nodes = new Map<string, TraceTreeSpan>();
  let rootSpan: TraceTreeSpan | undefined;
  const spans = shownSpans(trace, runId);
  for (const span of spans) {
    const run = span.runId === null ? undefined : trace.runs.get(span.runId);
    nodes.set(span.spanId, {
      id: span.spanId,
      parentId: span.parentSpanId ?? undefined,
      runId: span.runId ?? runId,
      data: {
        ...stateOf(span, now),
        taskSlug: run?.task,
        workerVersion: run?.version ?? undefined,
        queueName: run?.queue,
        machinePreset: run?.machine,
        events: eventsOf(span.events),
        properties: span.attributes,
      },
      children: [],
    });
  }
  for (const { spanId, parentSpanId } of spans) {
    const node = nodes.get(spanId) as TraceTreeSpan;
    const parent = parentSpanId === null ? undefined : nodes.get(parentSpanId);
    if (parent) parent.children.push(node);
    else rootSpan = node;
  }
  return { trace: { traceId: trace.traceId, rootSpan, truncated: trace.truncated } };
}

/** Returns one page of the trace's spans. `after`: the id of the last span of the previous page. */
export function tracePage(
  trace: Trace,
  runId: string,
  page: { size: number; after: string | undefined },
  now: number,
): TracePageResponse {
  const spans = shownSpans(trace, runId);
  const begin = page.after === undefined ? 0 : spans.findIndex(({ spanId }) => spanId === page.after) + 1;
  const shown = spans.slice(begin, begin + page.size);
  const data = shown.map(
    (span): TracePageSpan => ({
      id: span.spanId,
      parentId: span.parentSpanId ?? undefined,
      runId: span.runId ?? runId,
      ...stateOf(span, now),
    }),
  );
  const ids = new Set(shown.map(({ spanId }) => spanId));
  const attemptFailures = [...trace.runs.values()].flatMap(({ id, attempts }) =>
    attempts
      .filter(({ number, status }) => status === "FAILED" && ids.has(spanIdOfAttempt(id, number)))
      .map(({ number }) => ({ spanId: spanIdOfAttempt(id, number), attemptNumber: number, runId: id })),
  );
  const isLast = begin + page.size >= spans.length;
  return {
    data,
    attemptFailures,
    pagination: {
      next: isLast ? undefined : shown.at(-1)?.spanId,
      truncated: trace.truncated || undefined,
    },
  };
}

export function spanView(span: ShownSpan, runId: string, triggered: RunTrace[], now: number): SpanResponse {
  const { duration: _, attemptNumber, ...state } = stateOf(span, now);
  return {
    spanId: span.spanId,
    parentId: span.parentSpanId,
    runId: span.runId ?? runId,
    ...state,
    durationMs: durationMs(span, now),
    error: span.message,
    properties: {
      ...span.attributes,
      ...(span.service === null ? {} : { "service.name": span.service }),
      ...(attemptNumber === undefined ? {} : { "acme.attempt": attemptNumber }),
    },
    events: eventsOf(span.events),
    links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
    entityType: state.kind,
    triggeredRuns:
      triggered.length === 0
        ? undefined
        : triggered.map((run) => ({
            runId: run.id,
            taskIdentifier: run.task,
            status: publicStatus(run.status),
            createdAt: isoTime(run.createdAt),
          })),
  };
}
