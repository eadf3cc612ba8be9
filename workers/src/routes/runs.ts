import { idempotencyHomeOf } from "@acme/durable-objects/routing";
import type { EnvironmentRef, RunError, RunRecord } from "@acme/durable-objects/rpc";
import {
  LIMITS,
  type MetadataOperation,
  parseRunId,
  serializeError,
  statusesForPublic,
} from "@acme/sdk/contract";
import {
  AddTagsBody,
  type AttemptsResponse,
  CancelBody,
  type EventsResponse,
  ListProjectRunsQuery,
  ListRunsQuery,
  parseDelay,
  ReplayBody,
  RescheduleBody,
  ResetIdempotencyKeyBody,
  UpdateMetadataBody,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import { access } from "../auth/middleware.ts";
import { requireScopes } from "../auth/public-scopes.ts";
import { covers } from "../auth/scopes.ts";
import type { App, Bindings } from "../bindings.ts";
import { ERROR_PREFIX } from "../errors/error-id.ts";
import { readBody } from "../http/body.ts";
import { rangeOf } from "../http/created-range.ts";
import { Failure, invalid, runNotFound } from "../http/failure.ts";
import { requestKeyOf } from "../http/request-key.ts";
import {
  dispatcherOf,
  environmentObjectOf,
  ownerOf,
  queueObjectOf,
  runFeed,
  schedulesOf,
} from "../objects.ts";
import { replayRun } from "../runs/replay-run.ts";
import { openRepository } from "../storage/open.ts";
import type { RunFilter, RunPage } from "../storage/repository.ts";
import { resultOf, waitOf } from "../views/run-result.ts";
import { listedOf, retrievedJson, summaryOf } from "../views/run-view.ts";
import { runScheduleView } from "../views/schedule-view.ts";
import { isoTime, optionalTime } from "../views/time.ts";
import { whyView } from "../views/why-view.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** A public token lists all runs with `read:runs` or `read:tasks`, and those of the tasks that it may read by their filter. */
function requireListScopes(c: Context<App>, tasks: string[] | undefined): void {
  const { credential } = c.var;
  if (credential.type !== "public") return;
  if (covers(credential.scopes, "read:runs") || covers(credential.scopes, "read:tasks")) return;
  requireScopes(c, tasks?.map((task) => `read:tasks:${task}`) ?? ["read:runs"]);
}

export const runRoutes = new Hono<App>()
  .get("/api/v1/runs", access("listRuns"), async (c) => {
    const { environment } = c.var;
    const query = ListRunsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    requireListScopes(c, query.data["filter[taskIdentifier]"]);
    const listing = await openRepository(c.env).listRuns(
      environment.key,
      filterOf(query.data),
      pageOf(query.data),
    );
    return c.json({
      data: listing.runs.map((run) => listedOf(run, environment)),
      pagination: { next: listing.next ?? undefined, previous: listing.previous ?? undefined },
    });
  })
  .get("/api/v1/projects/:ref/runs", access("listProjectRuns"), async (c) => {
    const query = ListProjectRunsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const environments = environmentsNamed(c.var.projectEnvironments, query.data["filter[env]"]);
    const byKey = new Map(environments.map((environment) => [environment.key, environment]));
    const listing = await openRepository(c.env).listRunsOf(
      [...byKey.keys()],
      filterOf(query.data),
      pageOf(query.data),
    );
    return c.json({
      data: listing.runs.map((run) => listedOf(run, byKey.get(run.environmentKey) as EnvironmentRef)),
      pagination: { next: listing.next ?? undefined, previous: listing.previous ?? undefined },
    });
  })
  .get("/api/v3/runs/:runId", access("retrieveRun"), async (c) => {
    const runId = c.req.param("runId");
    const { environment } = c.var;
    const run = await runOf(c.env, environment, runId);
    return c.body(await view(c.env, environment, run), 200, JSON_TYPE);
  })
  .get("/api/v1/runs/:runId/result", access("getRunResult"), async (c) => {
    const runId = c.req.param("runId");
    const { environment } = c.var;
    const waitMs = waitOf(c);
    const finished = await ownerOf(c.env, environment.key, runId).waitForRun(environment.key, runId, waitMs);
    if (finished && "error" in finished) throw failureOf(finished);
    // As in Trigger.dev's API, a run without a result yet is not found here.
    if (!finished) {
      throw new Failure(
        404,
        "run_not_finished",
        `Run ${runId} has not finished yet. Wait for it with ?wait=SECONDS.`,
      );
    }
    return c.json(await resultOf(c.env, environment.key, finished));
  })
  .get("/api/v1/runs/:runId/events", access("listRunEvents"), async (c) => {
    const runId = c.req.param("runId");
    const { environment } = c.var;
    const owner = ownerOf(c.env, environment.key, runId);
    const [timeline, logs] = await Promise.all([
      owner.runEvents(environment.key, runId),
      runFeed(c.env, runId).listLogs({ after: 0, limit: 1_000, last: true }),
    ]);
    if (!timeline) throw runNotFound(runId);
    const events: z.infer<typeof EventsResponse>["events"] = [
      ...timeline.map(({ time, type, message, data }) => ({
        time: isoTime(time),
        type,
        message,
        properties: data,
      })),
      ...logs.lines.map(({ time, message, level, attempt, properties }) => ({
        time: isoTime(time),
        type: "log",
        message,
        level,
        attempt,
        properties,
      })),
    ];
    return c.json({ events: events.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)) });
  })
  .get("/api/v1/runs/:runId/attempts", access("listRunAttempts"), async (c) => {
    const runId = c.req.param("runId");
    const { environment } = c.var;
    const run = await runOf(c.env, environment, runId);
    const attempts: z.infer<typeof AttemptsResponse>["attempts"] = run.attemptRecords.map(
      (attempt, index) => ({
        id: `attempt_${runId.slice(4)}_${index + 1}`,
        number: attempt.number,
        // The published clients have no status for an attempt that lost its host.
        status: attempt.status === "LOST" ? "FAILED" : attempt.status,
        startedAt: optionalTime(attempt.startedAt),
        completedAt: optionalTime(attempt.completedAt),
        hostId: attempt.hostId ?? undefined,
        error: attempt.error
          ? serializeError(attempt.error)
          : attempt.status === "LOST"
            ? {
                name: "HOST_LOST",
                message: "The host running this attempt was lost; it was started again elsewhere.",
              }
            : undefined,
      }),
    );
    return c.json({ attempts });
  })
  .get("/api/v1/runs/:runId/why", access("explainRun"), async (c) => {
    const { environment } = c.var;
    const runId = c.req.param("runId");
    const run = await ownerOf(c.env, environment.key, runId).runHold(environment.key, runId);
    if (!run) throw runNotFound(runId);
    const [hold, hosts] = await Promise.all([
      environmentObjectOf(c.env, environment.key).queueHold(
        run.queue,
        run.task,
        run.limits,
        run.concurrencyKey ?? "",
      ),
      dispatcherOf(c.env, environment).hosts(),
    ]);
    const facts = {
      run,
      environment: environment.slug,
      isDevelopment: environment.type === "DEVELOPMENT",
      hold,
      hosts: hosts.length,
      now: Date.now(),
    };
    return c.json(whyView(runId, facts, environment));
  })
  .post("/api/v2/runs/:runId/cancel", access("cancelRun"), async (c) => {
    const { environment } = c.var;
    const runId = c.req.param("runId");
    const { children } = await readBody(c, CancelBody);
    const result = await ownerOf(c.env, environment.key, runId).cancelRun(
      environment.key,
      runId,
      "Canceled by the API",
      { children },
    );
    if ("error" in result) throw failureOf(result);
    return c.json({ id: runId });
  })
  .post("/api/v1/runs/:runId/replay", access("replayRun"), async (c) => {
    const { environment } = c.var;
    const runId = c.req.param("runId");
    const body = await readBody(c, ReplayBody, LIMITS.triggerBodyBytes);
    const run = await runOf(c.env, environment, runId);
    const result = await replayRun(c.env, environment, run, body, requestKeyOf(c));
    return c.json({ id: result.runId });
  })
  .post("/api/v1/runs/:runId/reschedule", access("rescheduleRun"), async (c) => {
    const { environment } = c.var;
    const runId = c.req.param("runId");
    const { delay } = await readBody(c, RescheduleBody);
    const delayUntil = parseDelay(delay, Date.now()) as number;
    const run = await ownerOf(c.env, environment.key, runId).rescheduleRun(
      environment.key,
      runId,
      delayUntil,
    );
    if ("error" in run && typeof run.error === "string") throw failureOf(run as RunError);
    return c.body(await view(c.env, environment, run as RunRecord), 200, JSON_TYPE);
  })
  .post("/api/v1/runs/:runId/tags", access("addRunTags"), async (c) => {
    const { environment } = c.var;
    const runId = c.req.param("runId");
    const { tags } = await readBody(c, AddTagsBody);
    const result = await ownerOf(c.env, environment.key, runId).addTags(environment.key, runId, tags);
    if ("error" in result) throw failureOf(result);
    return c.json({ message: `The run has ${result.tags.length} tags`, tags: result.tags });
  })
  .get("/api/v1/runs/:runId/metadata", access("getRunMetadata"), async (c) => {
    const runId = c.req.param("runId");
    const { environment } = c.var;
    const run = await runOf(c.env, environment, runId);
    return c.json({ metadata: run.metadata ? (JSON.parse(run.metadata) as unknown) : {} });
  })
  .put("/api/v1/runs/:runId/metadata", access("updateRunMetadata"), async (c) => {
    const { environment } = c.var;
    const runId = c.req.param("runId");
    const body = await readBody(c, UpdateMetadataBody, LIMITS.metadataBytes * 2);
    const own: MetadataOperation[] = [
      ...(body.metadata ? [{ type: "update" as const, value: body.metadata }] : []),
      ...((body.operations ?? []) as MetadataOperation[]),
    ];
    const result = await ownerOf(c.env, environment.key, runId).updateMetadata(environment.key, runId, own);
    if ("error" in result) throw failureOf(result);
    if (body.parentOperations || body.rootOperations) {
      const run = await runOf(c.env, environment, runId);
      await updateRelative(c.env, environment, run.parentRunId ?? runId, body.parentOperations);
      await updateRelative(c.env, environment, run.rootRunId ?? runId, body.rootOperations);
    }
    return c.json({ metadata: result.metadata });
  })
  .post("/api/v1/idempotencyKeys/:key/reset", access("resetIdempotencyKey"), async (c) => {
    const { environment } = c.var;
    const key = c.req.param("key");
    const { taskIdentifier } = await readBody(c, ResetIdempotencyKeyBody);
    const home = queueObjectOf(c.env, idempotencyHomeOf(environment.key, taskIdentifier));
    const { reset } = await home.resetIdempotencyKey(environment.key, taskIdentifier, key);
    if (!reset) {
      throw new Failure(
        404,
        "idempotency_key_not_found",
        `No run of task "${taskIdentifier}" in this environment holds the idempotency key "${key}".`,
      );
    }
    return c.json({ id: key });
  });

async function runOf(env: Bindings, environment: EnvironmentRef, runId: string): Promise<RunRecord> {
  const run = await ownerOf(env, environment.key, runId).retrieveRun(environment.key, runId);
  if (!run) throw runNotFound(runId);
  return run;
}

/**
 * Returns the JSON of a run with its parent and root from their owners, and its children from the query side.
 */
async function view(env: Bindings, environment: EnvironmentRef, run: RunRecord): Promise<string> {
  const relative = async (id: string | null) => {
    const parts = id === null ? null : parseRunId(id);
    const found =
      parts && (await queueObjectOf(env, parts.queueKey).retrieveRun(environment.key, id as string));
    return found ? summaryOf(found) : undefined;
  };
  const [parent, root, children, schedule] = await Promise.all([
    relative(run.parentRunId),
    relative(run.rootRunId),
    openRepository(env).listRuns(environment.key, { parentRunId: run.id }, { limit: 50 }),
    run.scheduleId && schedulesOf(env, environment.key).retrieveSchedule(run.scheduleId),
  ]);
  const related = { parent, root, children: children.runs.map(summaryOf) };
  return retrievedJson(env, run, related, schedule ? runScheduleView(schedule) : undefined);
}

async function updateRelative(
  env: Bindings,
  environment: EnvironmentRef,
  runId: string,
  operations: z.infer<typeof UpdateMetadataBody>["operations"],
): Promise<void> {
  if (!operations || operations.length === 0) return;
  const owner = ownerOf(env, environment.key, runId);
  const result = await owner.updateMetadata(environment.key, runId, operations as MetadataOperation[]);
  if ("error" in result) throw failureOf(result);
}

const STATUS = { not_found: 404, wrong_state: 422, too_large: 413, too_many_tags: 422 } as const;
const CODE = {
  not_found: "run_not_found",
  wrong_state: "wrong_state",
  too_large: "metadata_too_large",
  too_many_tags: "too_many_tags",
} as const;

const failureOf = ({ error, message }: RunError): Failure => new Failure(STATUS[error], CODE[error], message);

const pageOf = (query: z.infer<typeof ListRunsQuery>): RunPage => ({
  limit: query["page[size]"] ?? 20,
  after: query["page[after]"],
  before: query["page[before]"],
});

const TYPE_NAMES: Record<string, EnvironmentRef["type"]> = {
  dev: "DEVELOPMENT",
  staging: "STAGING",
  preview: "PREVIEW",
  prod: "PRODUCTION",
};

/** Returns the environments that `filter[env]` names. Throws a 404 for an unknown name. */
function environmentsNamed(environments: EnvironmentRef[], names: string[] | undefined): EnvironmentRef[] {
  if (!names) return environments;
  return names.flatMap((name) => {
    const type = TYPE_NAMES[name];
    const named = environments.filter((one) => one.slug === name || (type && one.type === type));
    if (named.length > 0 || type) return named;
    throw new Failure(
      404,
      "environment_not_found",
      `The project has no environment "${name.slice(0, 64)}" that you may see. Name slugs, or dev, staging, preview and prod.`,
    );
  });
}

function filterOf(query: z.infer<typeof ListRunsQuery>): RunFilter {
  const isTest = query["filter[isTest]"];
  return {
    statuses: query["filter[status]"]?.flatMap(statusesForPublic),
    tasks: query["filter[taskIdentifier]"],
    versions: query["filter[version]"],
    tags: query["filter[tag]"],
    queues: query["filter[queue]"],
    machines: query["filter[machine]"],
    batch: query["filter[batch]"],
    schedule: query["filter[schedule]"],
    bulkAction: query["filter[bulkAction]"],
    error: query["filter[error]"]?.slice(ERROR_PREFIX.length),
    isTest: isTest === undefined ? undefined : isTest === "true",
    ...rangeOf(query),
  };
}
