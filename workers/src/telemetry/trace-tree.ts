import { publicStatus, type SpanRecord, spanIdOfAttempt, spanIdOfRun } from "@acme/sdk/contract";
import type { Trace } from "./trace.ts";

/** A span for display: it has an end if its attempt or run has ended, and a parent that exists. */
export interface ShownSpan extends SpanRecord {
  isPartial: boolean;
  isCancelled: boolean;
}

/** Returns all spans of a trace in the order of their starts. Only the first root has no parent. */
export function shownSpans(trace: Trace, runId: string): ShownSpan[] {
  const spans = [...trace.spans.values()].map((span) => shown(trace, span));
  const root = rootOf(trace, runId);
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  for (const span of spans) {
    if (span.spanId === root) span.parentSpanId = null;
    else if (span.parentSpanId === null || !byId.has(span.parentSpanId))
      span.parentSpanId = foundParent(trace, span, root);
  }
  breakLoops(byId, root);
  return spans.sort((a, b) => orderOf(a) - orderOf(b) || depth(byId, a) - depth(byId, b));
}

/** An operation's times are whole milliseconds, so it sorts after spans of the same millisecond. */
const orderOf = ({ startTime, attributes }: SpanRecord): number =>
  attributes["acme.operation"] !== undefined && Number.isInteger(startTime) ? startTime + 0.999 : startTime;

/**
 * Returns the topmost span above the run, such as one of the service that triggered it, if that sends its
 * spans here too.
 */
function rootOf({ spans }: Trace, runId: string): string {
  let id = spanIdOfRun(runId);
  const seen = new Set([id]);
  for (;;) {
    const parent = spans.get(id)?.parentSpanId;
    if (!parent || !spans.has(parent) || seen.has(parent)) return id;
    id = parent;
    seen.add(id);
  }
}

/** A span whose parent was not recorded is put below the attempt or run that recorded it. */
function foundParent({ spans }: Trace, { runId, attempt, spanId }: SpanRecord, root: string): string {
  const candidates =
    runId === null ? [] : [attempt === null ? "" : spanIdOfAttempt(runId, attempt), spanIdOfRun(runId)];
  return candidates.find((id) => id !== spanId && spans.has(id)) ?? root;
}

/** Spans whose parents form a cycle are put below the root. */
function breakLoops(byId: Map<string, ShownSpan>, root: string): void {
  const safe = new Set([root]);
  for (const span of byId.values()) {
    const path = new Set<string>();
    let at: ShownSpan | undefined = span;
    while (at && !safe.has(at.spanId)) {
      path.add(at.spanId);
      const parent: string | null = at.parentSpanId;
      if (parent !== null && path.has(parent)) {
        at.parentSpanId = root;
        break;
      }
      at = parent === null ? undefined : byId.get(parent);
    }
    for (const id of path) safe.add(id);
  }
}

function depth(byId: Map<string, ShownSpan>, span: ShownSpan): number {
  let levels = 0;
  for (let at: ShownSpan | undefined = span; at?.parentSpanId; at = byId.get(at.parentSpanId)) levels += 1;
  return levels;
}

/** A span that is still open when its attempt or run has ended is shown as ended with it. */
function shown({ runs }: Trace, span: SpanRecord): ShownSpan {
  const run = span.runId === null ? undefined : runs.get(span.runId);
  const isCanceled = run !== undefined && publicStatus(run.status) === "CANCELED";
  const ofRun = run !== undefined && span.spanId === spanIdOfRun(run.id);
  if (span.endTime !== null)
    return {
      ...span,
      isPartial: false,
      isCancelled: isCanceled && (ofRun || span.endTime === run?.completedAt),
    };
  const attempt = run?.attempts.find(({ number }) => number === span.attempt);
  const over = attempt?.completedAt ?? run?.completedAt ?? null;
  if (over === null) return { ...span, isPartial: true, isCancelled: false };
  const failed = attempt?.status === "FAILED" || attempt?.status === "LOST";
  return {
    ...span,
    endTime: Math.max(over, span.startTime),
    status: failed ? "error" : span.status,
    isPartial: false,
    isCancelled: isCanceled,
  };
}
