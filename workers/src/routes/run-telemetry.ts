import type { RunTrace } from "@acme/durable-objects/rpc";
import type { SpanRecord } from "@acme/sdk/contract";
import { RunLogsQuery, TraceQuery } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App, Bindings } from "../bindings.ts";
import { Failure, invalid, runNotFound } from "../http/failure.ts";
import { openRepository } from "../storage/open.ts";
import { openTelemetryStore } from "../telemetry/store.ts";
import { runTraces, traceOf } from "../telemetry/trace.ts";
import { shownSpans } from "../telemetry/trace-tree.ts";
import { isoTime } from "../views/time.ts";
import { spanView, tracePage, traceTree } from "../views/trace-view.ts";

const DEFAULT_PAGE = 10_000;
const DEFAULT_LOGS = 500;
/** The maximum number of a batch's runs that its span names. */
const MAX_TRIGGERED = 100;

/** Routes for the trace, spans and log of one run. */
export const runTelemetryRoutes = new Hono<App>()
  .get("/api/v1/runs/:runId/trace", access("retrieveRunTrace"), async (c) => {
    const query = TraceQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { environment } = c.var;
    const run = await existing(c.env, environment.key, c.req.param("runId"));
    const trace = await traceOf(c.env, environment.key, run);
    const size = query.data["page[size]"];
    const after = query.data["page[after]"];
    if (size === undefined && after === undefined) return c.json(traceTree(trace, run.id, Date.now()));
    return c.json(tracePage(trace, run.id, { size: size ?? DEFAULT_PAGE, after }, Date.now()));
  })
  .get("/api/v1/runs/:runId/spans/:spanId", access("retrieveSpan"), async (c) => {
    const { environment } = c.var;
    const run = await existing(c.env, environment.key, c.req.param("runId"));
    const spanId = c.req.param("spanId");
    const trace = await traceOf(c.env, environment.key, run);
    const span = shownSpans(trace, run.id).find((one) => one.spanId === spanId);
    if (!span)
      throw new Failure(
        404,
        "span_not_found",
        `The trace of run ${run.id} has no span ${spanId.slice(0, 64)}. It may not have been recorded yet.`,
      );
    const triggered = await triggeredBy(c.env, environment.key, span);
    return c.json(spanView(span, run.id, triggered, Date.now()));
  })
  .get("/api/v1/runs/:runId/logs", access("listRunLogs"), async (c) => {
    const query = RunLogsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { environment } = c.var;
    const run = await existing(c.env, environment.key, c.req.param("runId"));
    const { after = 0, limit = DEFAULT_LOGS, level, text } = query.data;
    const page = await openTelemetryStore(c.env).logsOfRun(environment.key, run.id, {
      after,
      limit,
      levels: level,
      text: text || undefined,
    });
    return c.json({
      logs: page.logs.map(({ runId: _, time, ...line }) => ({ ...line, time: isoTime(time) })),
      next: page.next ?? undefined,
      dropped: page.dropped,
    });
  });

async function existing(env: Bindings, environment: string, runId: string): Promise<RunTrace> {
  const [run] = await runTraces(env, environment, [runId]);
  if (!run) throw runNotFound(runId);
  return run;
}

/** Returns the runs that an operation triggered. */
async function triggeredBy(env: Bindings, environment: string, span: SpanRecord): Promise<RunTrace[]> {
  const target = span.attributes["acme.target"];
  if (typeof target !== "string") return [];
  const kind = span.attributes["acme.kind"];
  if (kind === "child") return runTraces(env, environment, [target]);
  if (kind !== "batch") return [];
  const { runs } = await openRepository(env).listRuns(
    environment,
    { batch: target },
    { limit: MAX_TRIGGERED },
  );
  return runTraces(
    env,
    environment,
    runs.map(({ id }) => id),
  );
}
