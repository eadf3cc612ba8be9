import type { RunEvent } from "../api/environment-api.ts";

export type SpanKind =
  | "run"
  | "attempt"
  | "step"
  | "wait"
  | "token"
  | "child"
  | "batch"
  | "retry"
  | "group"
  | "span"
  | "fetch"
  | "service";
export type SpanStatus = "running" | "ok" | "failed" | "canceled" | "waiting";

/** A time in which only the run's record existed, and no process. */
export interface Suspension {
  from: number;
  /** Absent: it has not ended. */
  to?: number;
  /** What the run waits for, in words. */
  reason: string;
  resumedBy?: string;
}

export interface Span {
  id: string;
  parent: string | null;
  kind: SpanKind;
  name: string;
  start: number;
  /** Absent: it is not over. */
  end?: number;
  status: SpanStatus;
  /** The latest end of a wait. */
  until?: number;
  /** Id of the run, token or batch that it is about. */
  target?: string;
  /** Where the code called it: `src/trigger/order.ts:12:9`. */
  location?: string;
  attempt?: number;
  number?: number;
  error?: string;
  hostId?: string;
  /** Where its attributes and events are fetched; absent: the run's owner has everything about it. */
  recorded?: { runId: string; spanId: string };
  suspensions: Suspension[];
}

export interface Trace {
  spans: Span[];
  /** The span of the run as a whole. */
  suspensions: Suspension[];
  /** When it first had a slot. */
  startedAt?: number;
}

export interface TracedRun {
  id: string;
  taskIdentifier: string;
  status: string;
  createdAt: string;
  finishedAt?: string;
  isSuccess: boolean;
  isCancelled: boolean;
  isCompleted: boolean;
  isWaiting: boolean;
}

const KINDS: Record<string, SpanKind> = {
  step: "step",
  wait: "wait",
  token: "token",
  run: "child",
  trigger: "child",
  batch: "batch",
  "batch-trigger": "batch",
};

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** The spans of a run, parents before children, each level in the order of time. `prefix` keeps ids of nested runs apart. */
export function traceOf(run: TracedRun, events: readonly RunEvent[], prefix = ""): Trace {
  const rootId = `${prefix}run`;
  const root: Span = {
    id: rootId,
    parent: null,
    kind: "run",
    name: run.taskIdentifier,
    start: Date.parse(run.createdAt),
    end: run.finishedAt ? Date.parse(run.finishedAt) : undefined,
    status: statusOf(run),
    target: run.id,
    suspensions: [],
  };
  const attempts = new Map<number, Span>();
  const operations = new Map<string, Span>();
  let startedAt: number | undefined;
  let open: Suspension | undefined;
  let lastAttempt: Span | undefined;

  const attemptSpan = (n: number, start: number): Span => {
    let span = attempts.get(n);
    if (!span) {
      span = {
        id: `${prefix}attempt-${n}`,
        parent: rootId,
        kind: "attempt",
        name: `Attempt ${n}`,
        start,
        status: "running",
        attempt: n,
        suspensions: [],
      };
      attempts.set(n, span);
    }
    return span;
  };

  for (const event of events) {
    const time = Date.parse(event.time);
    const data = event.properties ?? {};
    const n = number(data.attempt) ?? 1;
    switch (event.type) {
      case "attempt.started": {
        startedAt ??= time;
        const span = attemptSpan(n, time);
        span.start = Math.min(span.start, time);
        span.hostId = text(data.hostId);
        lastAttempt = span;
        break;
      }
      case "attempt.completed":
      case "attempt.failed":
      case "attempt.canceled":
      case "attempt.lost": {
        const span = attemptSpan(n, time);
        span.end = time;
        span.status =
          event.type === "attempt.completed"
            ? "ok"
            : event.type === "attempt.canceled"
              ? "canceled"
              : "failed";
        const colon = event.message.indexOf(": ");
        if (span.status === "failed" && colon > 0) span.error = event.message.slice(colon + 2);
        break;
      }
      case "operation.started": {
        const span: Span = {
          id: `${prefix}op-${n}-${String(data.number)}`,
          parent: attemptSpan(n, time).id,
          kind: KINDS[String(data.kind)] ?? "step",
          name: text(data.name) ?? "operation",
          start: time,
          status: data.kind === "step" ? "running" : "waiting",
          until: number(data.until),
          target: text(data.target),
          location: text(data.location),
          attempt: n,
          number: number(data.number),
          suspensions: [],
        };
        if (data.kind === "wait") span.name = "wait";
        if (data.kind === "token") span.name = "wait for token";
        operations.set(span.id, span);
        break;
      }
      case "operation.completed":
      case "operation.failed": {
        const span = operations.get(`${prefix}op-${n}-${String(data.number)}`);
        if (!span) break;
        span.end = time;
        span.status = event.type === "operation.completed" ? "ok" : "failed";
        const failed = event.message.indexOf(" failed: ");
        if (failed > 0) span.error = event.message.slice(failed + 9);
        break;
      }
      case "suspended": {
        open = { from: time, reason: event.message.replace(/^Suspended: waits for /, "") };
        root.suspensions.push(open);
        attempts.get(n)?.suspensions.push(open);
        break;
      }
      case "resumed": {
        if (!open) break;
        open.to = time;
        open.resumedBy = text(data.by) ?? event.message;
        open = undefined;
        break;
      }
    }
  }
  if (open && root.end !== undefined) open.to = root.end;
  if (lastAttempt && lastAttempt.end === undefined) {
    if (root.end !== undefined) {
      lastAttempt.end = root.end;
      lastAttempt.status = root.status;
    } else if (open) lastAttempt.status = "waiting";
  }
  for (const span of operations.values()) {
    const parent = span.parent ? attempts.get(span.attempt ?? 1) : undefined;
    if (span.end === undefined && parent?.end !== undefined) {
      span.end = parent.end;
      span.status = parent.status === "failed" ? "failed" : "canceled";
    }
  }
  const ordered = [...attempts.values()].sort((a, b) => a.start - b.start);
  const spans: Span[] = [root];
  for (const [index, attempt] of ordered.entries()) {
    const before = ordered[index - 1];
    if (before?.end !== undefined && attempt.start - before.end > 20) {
      spans.push({
        id: `${prefix}retry-${attempt.attempt}`,
        parent: rootId,
        kind: "retry",
        name: `Backoff before attempt ${attempt.attempt}`,
        start: before.end,
        end: attempt.start,
        status: "waiting",
        suspensions: [],
      });
    }
    spans.push(attempt);
    const own = [...operations.values()].filter(({ parent }) => parent === attempt.id);
    spans.push(...own.sort((a, b) => a.start - b.start || (a.number ?? 0) - (b.number ?? 0)));
  }
  return { spans, suspensions: root.suspensions, startedAt };
}

function statusOf(run: TracedRun): SpanStatus {
  if (run.isSuccess) return "ok";
  if (run.isCancelled) return "canceled";
  if (run.isCompleted) return "failed";
  return run.isWaiting ? "waiting" : "running";
}

export interface TraceRow {
  span: Span;
  depth: number;
  /** It has children, which are shown unless it is collapsed. */
  children: number;
  open: boolean;
  /** True: a child run whose spans are not loaded yet. */
  loadable: boolean;
  /** Number of spans that a group stands for. */
  grouped?: number;
  failedInGroup?: number;
}

/** If there are more rows than this, deeper ones are collapsed at first. */
const MANY_ROWS = 500;
const DEEP = 2;

/**
 * Returns what is collapsed when a trace is first shown: the deep parts of a large one, except those that
 * lead to a failure.
 */
export function closedAtFirst(spans: readonly Span[]): ReadonlySet<string> {
  if (spans.length <= MANY_ROWS) return new Set();
  const byId = new Map(spans.map((span) => [span.id, span]));
  const parents = new Set(spans.map(({ parent }) => parent));
  const depthOf = ({ parent }: Span): number => {
    let depth = 0;
    for (let id = parent; id !== null && depth < DEEP; id = byId.get(id)?.parent ?? null) depth += 1;
    return depth;
  };
  const closed = new Set(
    spans.filter((span) => parents.has(span.id) && depthOf(span) >= DEEP).map(({ id }) => id),
  );
  for (const span of spans) {
    if (span.status !== "failed") continue;
    for (let id = span.parent; id !== null && closed.delete(id); ) id = byId.get(id)?.parent ?? null;
  }
  return closed;
}

const GROUP_ABOVE = 5;

/**
 * The rows to show: children below their parents, but for those collapsed. More than five siblings of one name in a row
 * become one row, which is open if its id is in `opened`.
 */
export function rowsOf(
  spans: readonly Span[],
  collapsed: ReadonlySet<string>,
  opened: ReadonlySet<string>,
): TraceRow[] {
  const byParent = new Map<string | null, Span[]>();
  const ids = new Set(spans.map(({ id }) => id));
  for (const span of spans) {
    const parent = span.parent !== null && ids.has(span.parent) ? span.parent : null;
    const siblings = byParent.get(parent);
    if (siblings) siblings.push(span);
    else byParent.set(parent, [span]);
  }
  const rows: TraceRow[] = [];
  // Uses a stack instead of recursion, because user code can nest without limit.
  const stack: { span: Span; depth: number; members?: Span[] }[] = [];
  const push = (siblings: readonly Span[], depth: number) => {
    const items = groupsOf(siblings, (id) => byParent.has(id));
    for (let index = items.length - 1; index >= 0; index--) stack.push({ ...items[index]!, depth });
  };
  push(byParent.get(null) ?? [], 0);
  while (stack.length > 0) {
    const { span, depth, members } = stack.pop()!;
    if (members) {
      const open = opened.has(span.id);
      rows.push({
        span,
        depth,
        children: members.length,
        open,
        loadable: false,
        grouped: members.length,
        failedInGroup: members.filter(({ status }) => status === "failed").length,
      });
      if (open)
        for (let index = members.length - 1; index >= 0; index--)
          stack.push({ span: members[index]!, depth: depth + 1 });
      continue;
    }
    const children = byParent.get(span.id) ?? [];
    const open = children.length > 0 && !collapsed.has(span.id);
    const loadable = children.length === 0 && span.kind === "child" && span.target !== undefined;
    rows.push({ span, depth, children: children.length, open, loadable });
    if (open) push(children, depth + 1);
  }
  return rows;
}

function groupsOf(
  siblings: readonly Span[],
  hasChildren: (id: string) => boolean,
): { span: Span; members?: Span[] }[] {
  const items: { span: Span; members?: Span[] }[] = [];
  for (let index = 0; index < siblings.length; ) {
    const first = siblings[index]!;
    let end = index + 1;
    while (
      !hasChildren(first.id) &&
      end < siblings.length &&
      siblings[end]!.name === first.name &&
      siblings[end]!.kind === first.kind &&
      (first.kind === "step" || first.kind === "span" || first.kind === "fetch") &&
      !hasChildren(siblings[end]!.id)
    )
      end++;
    const run = siblings.slice(index, end);
    if (run.length > GROUP_ABOVE) {
      const failed = run.filter(({ status }) => status === "failed");
      const last = run.at(-1)!;
      items.push({
        span: {
          ...first,
          id: `group-${first.id}`,
          kind: "group",
          end: run.every(({ end: ended }) => ended !== undefined)
            ? Math.max(...run.map(({ end: ended }) => ended ?? 0))
            : undefined,
          status: failed.length > 0 ? "failed" : last.status,
        },
        members: [...failed, ...run.filter(({ status }) => status !== "failed")],
      });
    } else items.push(...run.map((span) => ({ span })));
    index = end;
  }
  return items;
}
