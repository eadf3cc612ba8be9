import type { RunTrace } from "@acme/durable-objects/rpc";
import { parseRunId, type SpanRecord, traceIdOfRun } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { queueObjectOf } from "../objects.ts";
import { openRepository } from "../storage/open.ts";
import { spansOfRun } from "./run-spans.ts";
import { openTelemetryStore, type SpanPage } from "./store.ts";

/** The maximum numbers of spans and runs of a trace that are read. */
const MAX_SPANS = 50_000;
const MAX_RUNS = 2_000;
const PAGE = 5_000;
const RUNS_AT_ONCE = 100;

export interface Trace {
  traceId: string;
  /** By span id. */
  spans: Map<string, SpanRecord>;
  /** What the owners of the trace's runs know, by run id. */
  runs: Map<string, RunTrace>;
  /** True: there are more spans or runs than were read or kept. */
  truncated: boolean;
}

/**
 * Reads the spans that the owners of runs know. A run of another environment is treated like one that never
 * existed.
 */
export async function runTraces(env: Bindings, environment: string, runIds: string[]): Promise<RunTrace[]> {
  const byQueue = new Map<string, string[]>();
  for (const runId of runIds) {
    const parts = parseRunId(runId);
    if (parts?.environmentKey !== environment) continue;
    const ids = byQueue.get(parts.queueKey);
    if (ids) ids.push(runId);
    else byQueue.set(parts.queueKey, [runId]);
  }
  const traces: RunTrace[] = [];
  for (const [queueKey, ids] of byQueue) {
    for (let at = 0; at < ids.length; at += RUNS_AT_ONCE)
      traces.push(
        ...(await queueObjectOf(env, queueKey).runTraces(environment, ids.slice(at, at + RUNS_AT_ONCE))),
      );
  }
  return traces;
}

/**
 * Returns the whole trace of a run: its recorded spans, and those that the owners of its runs know, which
 * take precedence. The runs are found through their spans, through their triggers, and through their common
 * root.
 */
export async function traceOf(env: Bindings, environment: string, run: RunTrace): Promise<Trace> {
  const traceId = traceIdOfRun(run.id, run.traceparent);
  const spans = new Map<string, SpanRecord>();
  let truncated = false;
  const store = openTelemetryStore(env);
  const runIds = new Set([run.id]);
  if (run.rootRunId) runIds.add(run.rootRunId);
  if (run.parentRunId) runIds.add(run.parentRunId);
  const root = run.rootRunId ?? run.id;
  const [listing] = await Promise.all([
    openRepository(env).listRuns(environment, { rootRunId: root }, { limit: 1_000 }),
    (async () => {
      let after: string | null = null;
      do {
        const page: SpanPage = await store.trace(environment, traceId, { after, limit: PAGE });
        for (const span of page.spans) {
          spans.set(span.spanId, span);
          if (span.runId !== null) runIds.add(span.runId);
        }
        truncated ||= page.dropped > 0;
        after = page.next;
      } while (after !== null && spans.size < MAX_SPANS);
      truncated ||= after !== null;
    })(),
  ]);
  for (const { id } of listing.runs) runIds.add(id);
  truncated ||= listing.next !== null;

  const runs = new Map<string, RunTrace>();
  const asked = new Set<string>();
  for (;;) {
    const next = [...runIds].filter((id) => !asked.has(id)).slice(0, MAX_RUNS - asked.size);
    if (next.length === 0) break;
    for (const id of next) asked.add(id);
    for (const found of await runTraces(env, environment, next)) {
      // A child can belong to another trace, if its caller said so.
      if (traceIdOfRun(found.id, found.traceparent) !== traceId) continue;
      runs.set(found.id, found);
      for (const { target } of found.operations) if (target && parseRunId(target)) runIds.add(target);
    }
  }
  truncated ||= runIds.size > asked.size;
  for (const found of runs.values()) {
    for (const span of spansOfRun(found)) {
      const recorded = spans.get(span.spanId);
      spans.set(span.spanId, recorded ? merged(recorded, span) : span);
    }
  }
  return { traceId, spans, runs, truncated };
}

/** The owner's data takes precedence; events and attributes that the runtime recorded are added to it. */
const merged = (recorded: SpanRecord, known: SpanRecord): SpanRecord => ({
  ...known,
  endTime: known.endTime ?? recorded.endTime,
  attributes: { ...recorded.attributes, ...known.attributes },
  events: [...recorded.events, ...known.events].toSorted((a, b) => a.time - b.time),
  links: recorded.links,
});
