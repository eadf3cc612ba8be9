import { idempotencyHomeOf, queueKeyOf } from "@acme/durable-objects/keys";
import type {
  DeploymentRef,
  EnvironmentRef,
  QueueRef,
  TriggerItem,
  TriggerResult,
} from "@acme/durable-objects/rpc";
import {
  DEFAULT_MACHINE,
  DEFAULTS,
  defaultQueueName,
  LIMITS,
  newRunId,
  parseRunId,
  type QueueManifest,
  type TaskManifest,
} from "@acme/sdk/contract";
import { parseDelay, parseDuration, type TriggerBody, type TriggerOptions } from "@acme/sdk/contract/api";
import type { Bindings } from "./bindings.ts";
import { currentDeployment, freshDeployment, type KnownDeployment } from "./current-deployment.ts";
import { Failure } from "./failure.ts";
import { queueObjectOf } from "./objects.ts";
import { offload } from "./packets.ts";
import { openRepository } from "./storage/open.ts";

export interface TriggerInput {
  task: string;
  body: TriggerBody;
  replayedFrom?: string;
}

/** Creates one run, or finds the one that its idempotency key stands for. One object call, no database read. */
export async function triggerRun(
  env: Bindings,
  environment: EnvironmentRef,
  input: TriggerInput,
): Promise<TriggerResult> {
  const options = input.body.options ?? {};
  const known = await deploymentFor(env, environment, input.task);
  const task = known?.tasks.get(input.task);
  const target = queueRef(environment, queueOf(input.task, options, task));
  const item = await toItem(env, environment, input, options, known, task);
  const settings = {
    concurrencyLimit: concurrencyLimitOf(target.queue, known, task) ?? null,
    paused: false,
  };
  const trigger = async (to: QueueRef, runId: string, claim: boolean): Promise<TriggerResult> => {
    const idempotency = item.idempotency && { ...item.idempotency, claim };
    const created = { ...item, runId, idempotency };
    const [result] = await queueObjectOf(env, to.queueKey).triggerRuns(to, settings, [created]);
    if (result?.error === "queue_full") {
      throw new Failure(
        429,
        "queue_full",
        `Queue ${to.queue} is full: it holds as many runs as its limit allows. Nothing was created; try again later.`,
        { headers: { "retry-after": "60" } },
      );
    }
    return result as TriggerResult;
  };
  const runId = newRunId(target.queueKey);
  if (!item.idempotency) return trigger(target, runId, false);

  // The key's home decides which run it stands for; where that is also the run's queue, one call does both.
  const home = queueRef(environment, defaultQueueName(input.task));
  if (target.queueKey === home.queueKey) {
    const result = await trigger(target, runId, true);
    const owner = parseRunId(result.runId)?.queueKey;
    if (owner === target.queueKey) return result;
    // Its run lies in another queue; whoever claimed the key may have died before creating it.
    await ensureElsewhere(env, environment, item, result.runId);
    return result;
  }
  const { key, expiresAt } = item.idempotency;
  const homeObject = queueObjectOf(env, idempotencyHomeOf(environment.key, input.task));
  const claim = await homeObject.claimIdempotencyKey(home, { task: input.task, key, runId, expiresAt });
  if (claim.claimed) return trigger(target, runId, false);
  if (parseRunId(claim.runId)?.queueKey === target.queueKey) {
    return { ...(await trigger(target, claim.runId, false)), cached: true };
  }
  await ensureElsewhere(env, environment, item, claim.runId);
  return { runId: claim.runId, cached: true };
}

/** Creates a claimed run in a queue that this request doesn't name, if it isn't there: the queue knows its own name. */
async function ensureElsewhere(
  env: Bindings,
  environment: EnvironmentRef,
  item: TriggerItem,
  runId: string,
): Promise<void> {
  const queueKey = parseRunId(runId)?.queueKey as string;
  const owner = queueObjectOf(env, queueKey);
  if (await owner.retrieveRun(environment.key, runId)) return;
  const stats = await owner.queueStats(environment.key);
  const queue = stats?.queue ?? defaultQueueName(item.task);
  const ref = { environment, queue, partition: 0, queueKey };
  const settings = stats?.settings ?? { concurrencyLimit: null, paused: false };
  await owner.triggerRuns(ref, settings, [
    { ...item, runId, idempotency: item.idempotency && { ...item.idempotency, claim: false } },
  ]);
}

/** The current deployment; asked anew before a task counts as unknown. Throws a 404 for a task it doesn't have. */
async function deploymentFor(
  env: Bindings,
  environment: EnvironmentRef,
  task: string,
): Promise<KnownDeployment | null> {
  const cached = await currentDeployment(env, environment.key);
  if (cached?.tasks.has(task)) return cached;
  const fresh = await freshDeployment(env, environment.key);
  // Nothing was deployed to this environment yet: the run waits for the first deployment (PENDING_VERSION).
  if (!fresh || fresh.tasks.has(task)) return fresh;
  throw new Failure(
    404,
    "task_not_found",
    `Task "${task}" is not in deployment ${fresh.deployment.version} of environment "${environment.slug}". ` +
      "Check the id, or deploy the project that defines it: npx acme deploy --env " +
      `${environment.slug}. Nothing was created.`,
  );
}

function queueRef(environment: EnvironmentRef, queue: string): QueueRef {
  return { environment, queue, partition: 0, queueKey: queueKeyOf(environment.key, queue) };
}

const queueOf = (taskId: string, options: TriggerOptions, task: TaskManifest | undefined): string =>
  options.queue?.name ?? task?.queue?.name ?? defaultQueueName(taskId);

function concurrencyLimitOf(
  queue: string,
  known: KnownDeployment | null,
  task: TaskManifest | undefined,
): QueueManifest["concurrencyLimit"] {
  const declared = known?.queues.get(queue);
  if (declared) return declared.concurrencyLimit;
  const own = task?.queue?.name ?? (task && defaultQueueName(task.id));
  return own === queue ? task?.queue?.concurrencyLimit : null;
}

async function toItem(
  env: Bindings,
  environment: EnvironmentRef,
  input: TriggerInput,
  options: TriggerOptions,
  known: KnownDeployment | null,
  task: TaskManifest | undefined,
): Promise<TriggerItem> {
  const now = Date.now();
  const payload = await payloadOf(env, environment, input.body, options);
  const ttlMs = ttlOf(options) ?? task?.ttlMs;
  return {
    runId: "",
    task: input.task,
    payload: payload?.text,
    payloadType: payload?.type ?? "application/json",
    metadata: metadataOf(options),
    tags: options.tags ?? [],
    concurrencyKey: options.concurrencyKey,
    priorityMs: (options.priority ?? 0) * 1000,
    delayUntil: options.delay === undefined ? undefined : (parseDelay(options.delay, now) as number),
    ttlMs: ttlMs || undefined,
    maxAttempts: options.maxAttempts,
    retry: task?.retry ?? known?.retry,
    maxDuration: options.maxDuration === 0 ? undefined : (options.maxDuration ?? task?.maxDuration),
    machine: options.machine ?? task?.machine ?? DEFAULT_MACHINE,
    idempotency: options.idempotencyKey
      ? {
          key: options.idempotencyKey,
          expiresAt: now + ttlOfKey(options),
          claim: false,
          userKey: options.idempotencyKeyOptions?.key,
          scope: options.idempotencyKeyOptions?.scope,
        }
      : undefined,
    isTest: options.test ?? false,
    known: task !== undefined,
    lockedDeployment: options.lockToVersion
      ? await lockedTo(env, environment, options.lockToVersion)
      : undefined,
    ...(await familyOf(env, environment, options)),
    batchId: options.parentBatch,
    replayedFrom: input.replayedFrom,
  };
}

async function payloadOf(
  env: Bindings,
  environment: EnvironmentRef,
  body: TriggerBody,
  options: TriggerOptions,
) {
  if (body.payload === undefined) return undefined;
  const type = options.payloadType ?? "application/json";
  if (type === "application/store") {
    throw new Failure(
      400,
      "invalid_payload_type",
      'payloadType "application/store" is set by the server. Send the payload itself: large ones are stored for you.',
    );
  }
  // Clients send JSON payloads either as they are or serialized already, with the type beside them.
  const serialized = typeof body.payload === "string" && options.payloadType !== undefined;
  return offload(env, environment, {
    text: serialized ? (body.payload as string) : JSON.stringify(body.payload),
    type,
  });
}

function metadataOf(options: TriggerOptions): string | undefined {
  if (options.metadata === undefined || options.metadata === null) return undefined;
  const text = typeof options.metadata === "string" ? options.metadata : JSON.stringify(options.metadata);
  if (text.length > LIMITS.metadataBytes) {
    throw new Failure(
      413,
      "metadata_too_large",
      `The metadata has ${text.length} bytes: at most ${LIMITS.metadataBytes} are allowed.`,
    );
  }
  if (typeof options.metadata === "string") checkMetadata(text);
  return text;
}

function checkMetadata(text: string): void {
  try {
    const value: unknown = JSON.parse(text);
    if (value && typeof value === "object" && !Array.isArray(value)) return;
  } catch {
    // Falls through to the same answer: it isn't an object.
  }
  throw new Failure(400, "invalid_metadata", "options.metadata must be a JSON object.");
}

function ttlOf(options: TriggerOptions): number | undefined {
  if (options.ttl === undefined) return undefined;
  return typeof options.ttl === "number" ? options.ttl * 1000 : (parseDuration(options.ttl) as number);
}

const ttlOfKey = (options: TriggerOptions): number =>
  options.idempotencyKeyTTL
    ? (parseDuration(options.idempotencyKeyTTL) as number)
    : DEFAULTS.idempotencyKeyTtlMs;

async function lockedTo(env: Bindings, environment: EnvironmentRef, version: string): Promise<DeploymentRef> {
  const found = await openRepository(env).findDeploymentByVersion(environment.key, version);
  if (!found) {
    throw new Failure(
      404,
      "version_not_found",
      `Version ${version} was never deployed to environment "${environment.slug}". Nothing was created.`,
    );
  }
  return { id: found.id, version: found.version, contentHash: found.contentHash };
}

/** Where the run stands in its tree. A parent of another environment is as unknown as one that never was. */
async function familyOf(env: Bindings, environment: EnvironmentRef, options: TriggerOptions) {
  const parentRunId = options.parentRunId;
  if (parentRunId === undefined) return { depth: 0 };
  const parts = parseRunId(parentRunId);
  const parent =
    parts?.environmentKey === environment.key
      ? await queueObjectOf(env, parts.queueKey).retrieveRun(environment.key, parentRunId)
      : null;
  if (!parent)
    throw new Failure(
      404,
      "run_not_found",
      `The parent run ${parentRunId} was not found in this environment.`,
    );
  return { parentRunId, rootRunId: parent.rootRunId ?? parentRunId, depth: parent.depth + 1 };
}
