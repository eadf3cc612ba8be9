import {
  declarationOf,
  emptyStats,
  METRICS_MINUTE_MS,
  queueKeyOf,
  queueRef,
} from "@acme/durable-objects/routing";
import type { EnvironmentRef, KnownQueue, QueueChange, QueueStats } from "@acme/durable-objects/rpc";
import { defaultQueueName, ENVIRONMENT_KEY_LENGTH, QUEUE_KEY_LENGTH } from "@acme/sdk/contract";
import {
  ListQueuesQuery,
  type ListQueuesResponse,
  OverrideConcurrencyBody,
  OverridePartitionsBody,
  OverrideRateLimitBody,
  PauseQueueBody,
  type QueueItem,
  QueueMetricsQuery,
  type QueueParamType,
  ResetLimitBody,
  RetrieveQueueQuery,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import { access } from "../auth/middleware.ts";
import type { App, Bindings } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { deedIn } from "../control/audit.ts";
import { readBody } from "../http/body.ts";
import { Failure, invalid } from "../http/failure.ts";
import { environmentObjectOf, queueObjectOf } from "../objects.ts";
import { currentDeployment, declarationFor, freshDeployment } from "../runs/current-deployment.ts";
import { metricsView } from "../views/queue-metrics-view.ts";
import { queueView } from "../views/queue-view.ts";

const PATH = "/api/v1/queues";
const PER_PAGE = 25;
const ID = new RegExp(`^queue_([0-9a-z]{${QUEUE_KEY_LENGTH}})$`);

export const queueRoutes = new Hono<App>()
  .get(PATH, access("listQueues"), async (c) => {
    const { environment } = c.var;
    const query = ListQueuesQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { page = 1, perPage = PER_PAGE } = query.data;
    const owner = environmentObjectOf(c.env, environment.key);
    const { queues, count } = await owner.listQueues((page - 1) * perPage, perPage);
    const answer: z.output<typeof ListQueuesResponse> = {
      data: await Promise.all(queues.map((queue) => retrieve(c.env, environment, queue))),
      pagination: { currentPage: page, totalPages: Math.ceil(count / perPage), count },
    };
    return c.json(answer);
  })
  .get(`${PATH}/:queue`, access("getQueue"), async (c) => {
    const { environment } = c.var;
    const query = RetrieveQueueQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const target = await queueOf(c, environment, query.data.type);
    return c.json(await retrieve(c.env, environment, target));
  })
  .get(`${PATH}/:queue/metrics`, access("getQueueMetrics"), async (c) => {
    const { environment } = c.var;
    const query = QueueMetricsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { type, period = 60, resolution = Math.max(1, Math.ceil(period / 60)) } = query.data;
    const { queue, partitions } = await queueOf(c, environment, type);
    const to = Math.floor(Date.now() / METRICS_MINUTE_MS) + 1;
    // Points begin at full multiples, so that repeated requests get the same points.
    const from = Math.floor((to - period) / resolution) * resolution;
    const counted = await Promise.all(
      partitions.map((partition) =>
        queueObjectOf(c.env, queueRef(environment, queue, partition).queueKey).queueMetrics(
          environment.key,
          from,
          to,
        ),
      ),
    );
    return c.json(metricsView(counted, { from, to, resolution }));
  })
  .post(`${PATH}/:queue/pause`, access("pauseQueue"), (c) =>
    change(c, PauseQueueBody, ({ action }) => ({ type: "pause", paused: action === "pause" })),
  )
  .post(`${PATH}/:queue/concurrency/override`, access("overrideQueueConcurrency"), (c) =>
    change(c, OverrideConcurrencyBody, ({ concurrencyLimit, totalConcurrencyLimit }) => ({
      type: "override",
      limits: { concurrencyLimit, totalConcurrencyLimit },
    })),
  )
  .post(`${PATH}/:queue/concurrency/reset`, access("resetQueueConcurrency"), (c) =>
    change(c, ResetLimitBody, () => ({
      type: "reset",
      limits: ["concurrencyLimit", "totalConcurrencyLimit"],
    })),
  )
  .post(`${PATH}/:queue/rate-limit/override`, access("overrideQueueRateLimit"), (c) =>
    change(c, OverrideRateLimitBody, ({ rateLimit, rateLimitPerKey }) => ({
      type: "override",
      limits: { rateLimit, rateLimitPerKey },
    })),
  )
  .post(`${PATH}/:queue/rate-limit/reset`, access("resetQueueRateLimit"), (c) =>
    change(c, ResetLimitBody, () => ({ type: "reset", limits: ["rateLimit", "rateLimitPerKey"] })),
  )
  .post(`${PATH}/:queue/partitions/override`, access("overrideQueuePartitions"), (c) =>
    change(c, OverridePartitionsBody, ({ partitions }) => ({ type: "override", limits: { partitions } })),
  )
  .post(`${PATH}/:queue/partitions/reset`, access("resetQueuePartitions"), (c) =>
    change(c, ResetLimitBody, () => ({ type: "reset", limits: ["partitions"] })),
  );

type ParamType = z.output<typeof QueueParamType>;

async function change<S extends z.ZodType<{ type: ParamType }>>(
  c: Context<App>,
  schema: S,
  toChange: (body: z.output<S>) => QueueChange,
): Promise<Response> {
  const { environment } = c.var;
  const body = await readBody(c, schema);
  const known = await queueOf(c, environment, body.type);
  const declaration = await declarationFor(c.env, environment.key, known.queue);
  const first = queueRef(environment, known.queue);
  const change = toChange(body);
  await announced(c, deedIn(environment, deedOf(known.queue, change)), () =>
    queueObjectOf(c.env, first.queueKey).changeSettings(first, declaration, change),
  );
  // The next triggers in this isolate use the change.
  await freshDeployment(c.env, environment.key);
  return c.json(await retrieve(c.env, environment, known));
}

function deedOf(queue: string, change: QueueChange) {
  const target = { type: "queue", id: queue };
  switch (change.type) {
    case "pause":
      return { action: change.paused ? "queue.paused" : "queue.resumed", target };
    case "override":
      return { action: "queue.limits_overridden", target, details: { ...change.limits } };
    case "reset":
      return { action: "queue.limits_reset", target, details: { limits: change.limits } };
  }
}

/**
 * Returns the queue that the path names: one that had runs, or that the current deployment declares. Throws a
 * 404.
 */
async function queueOf(c: Context<App>, environment: EnvironmentRef, type: ParamType): Promise<KnownQueue> {
  // The published client encodes slashes twice.
  const param = (c.req.param("queue") as string).replaceAll("%2F", "/");
  let known: KnownQueue | null = null;
  for (const queueKey of queueKeysFor(environment, type, param)) {
    known ??= await environmentObjectOf(c.env, environment.key).findQueue(queueKey);
  }
  if (known === null) {
    throw new Failure(
      404,
      "queue_not_found",
      `There is no queue "${param}" (type ${type}) in environment "${environment.slug}": it has had no runs, and the current ` +
        'deployment does not declare it. Give the queue\'s id, or its name with type "task" or "custom". Nothing was changed.',
    );
  }
  return known;
}

/**
 * Returns the keys of the queues that a path's parameter can mean: a task's own queue is named by the task's
 * id, with or without its prefix.
 */
function queueKeysFor(environment: EnvironmentRef, type: ParamType, param: string): string[] {
  if (type === "id") {
    const queueKey = ID.exec(param)?.[1] ?? "";
    return queueKey.slice(0, ENVIRONMENT_KEY_LENGTH) === environment.key ? [queueKey] : [];
  }
  const names = type === "custom" ? [param] : [defaultQueueName(param), param];
  return names
    .filter((name) => type === "custom" || name.startsWith(defaultQueueName("")))
    .map((name) => queueKeyOf(environment.key, name));
}

/**
 * Returns the sums over a queue's partitions with the settings of the first one; before the queue's first
 * run, with the declared settings.
 */
async function retrieve(env: Bindings, environment: EnvironmentRef, known: KnownQueue): Promise<QueueItem> {
  const { queue, partitions } = known;
  const refs = partitions.map((partition) => queueRef(environment, queue, partition));
  const all = await Promise.all(
    refs.map(({ queueKey }) => queueObjectOf(env, queueKey).queueStats(environment.key)),
  );
  const { queueKey } = queueRef(environment, queue);
  const first = all[0] ?? (await declaredStats(env, environment, queue));
  const sum = (of: "pending" | "running" | "notYetQueued") =>
    all.reduce((total, stats) => total + (stats?.[of] ?? 0), 0);
  return queueView(queueKey, {
    ...first,
    pending: sum("pending"),
    running: sum("running"),
    notYetQueued: sum("notYetQueued"),
  });
}

async function declaredStats(env: Bindings, environment: EnvironmentRef, queue: string): Promise<QueueStats> {
  const known = await currentDeployment(env, environment.key);
  return emptyStats(queue, known ? declarationOf(known, known, queue) : {});
}
