import { spanIdOfAttempt, spanIdOfOperation, spanIdOfRun } from "@acme/sdk/contract/trace-context";
import type { RecordedSpan } from "../api/environment-api.ts";
import type { Span, SpanKind, SpanStatus } from "./spans.ts";

const KINDS: Readonly<Record<RecordedSpan["kind"], SpanKind>> = {
  run: "run",
  attempt: "attempt",
  step: "step",
  wait: "wait",
  token: "token",
  child: "child",
  batch: "batch",
  trace: "span",
  custom: "span",
  fetch: "fetch",
  service: "service",
};

/** Kinds of spans that last while another party works. */
const WAITS = new Set<SpanKind>(["wait", "token", "child", "batch"]);

/**
 * Merges a run's own spans, from its owner, with the recorded spans below them: spans of the code, calls of
 * `fetch`, services, and the spans of child runs below the operations that triggered them. Both name a run's
 * spans by the same ids.
 */
export function withRecorded(own: readonly Span[], recorded: readonly RecordedSpan[], runId: string): Span[] {
  const idOf = new Map<string, string>([[spanIdOfRun(runId), own[0]?.id ?? "run"]]);
  const children = new Map<string, Span>();
  for (const span of own) {
    if (span.attempt === undefined) continue;
    if (span.kind === "attempt") idOf.set(spanIdOfAttempt(runId, span.attempt), span.id);
    else if (span.number !== undefined)
      idOf.set(spanIdOfOperation(runId, span.attempt, span.number), span.id);
    if (span.kind === "child" && span.target) children.set(span.target, span);
  }
  // A child run's own span is the operation that triggered it, below which its spans are shown.
  for (const { id, kind, runId: of } of recorded) {
    const operation = kind === "run" ? children.get(of) : undefined;
    if (operation) idOf.set(id, operation.id);
  }
  const below = descendants(recorded, spanIdOfRun(runId));
  const extra = below.filter(({ id }) => !idOf.has(id)).map((span) => spanOf(span, idOf));
  if (extra.length === 0) return [...own];
  return [...own, ...extra].sort((a, b) => a.start - b.start);
}

/** Returns the spans below a span, without itself, because a trace also contains what triggered the run. */
function descendants(recorded: readonly RecordedSpan[], root: string): RecordedSpan[] {
  const byParent = new Map<string, RecordedSpan[]>();
  for (const span of recorded) {
    if (span.parentId === undefined) continue;
    const siblings = byParent.get(span.parentId);
    if (siblings) siblings.push(span);
    else byParent.set(span.parentId, [span]);
  }
  const found: RecordedSpan[] = [];
  const seen = new Set([root]);
  const open = [root];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const span of byParent.get(id) ?? []) {
      if (seen.has(span.id)) continue;
      seen.add(span.id);
      found.push(span);
      open.push(span.id);
    }
  }
  return found;
}

function spanOf(span: RecordedSpan, idOf: ReadonlyMap<string, string>): Span {
  const kind = KINDS[span.kind];
  const start = Date.parse(span.startTime);
  return {
    id: span.id,
    parent: span.parentId === undefined ? null : (idOf.get(span.parentId) ?? span.parentId),
    kind: kind === "run" ? "child" : kind,
    name: span.message,
    start,
    end: span.isPartial ? undefined : start + span.duration / 1e6,
    status: statusOf(span, kind),
    target: kind === "run" ? span.runId : undefined,
    attempt: span.attemptNumber,
    recorded: { runId: span.runId, spanId: span.id },
    suspensions: [],
  };
}

function statusOf(span: RecordedSpan, kind: SpanKind): SpanStatus {
  if (span.isError) return "failed";
  if (span.isCancelled) return "canceled";
  if (!span.isPartial) return "ok";
  return WAITS.has(kind) ? "waiting" : "running";
}
