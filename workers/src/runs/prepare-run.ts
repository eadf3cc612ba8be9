import type { QueuedRuns } from "@acme/durable-objects/routing";
import {
  declarationOf,
  type IndexedManifest,
  indexed,
  partitionOf,
  partitionsOf,
  queueRef,
} from "@acme/durable-objects/routing";
import type { DeploymentRef, EnvironmentRef, RunRecord, TriggerItem } from "@acme/durable-objects/rpc";
import {
  contextOfRun,
  DEFAULT_MACHINE,
  DEFAULTS,
  defaultQueueName,
  isTaskLimit,
  LIMITS,
  newRunId,
  parseRunId,
  parseTraceparent,
  type TaskManifest,
  traceparentOf,
} from "@acme/sdk/contract";
import { parseDelay, parseDuration, type TriggerBody, type TriggerOptions } from "@acme/sdk/contract/api";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { queueObjectOf } from "../objects.ts";
import { openRepository } from "../storage/open.ts";
import { currentDeployment, freshDeployment, type KnownDeployment } from "./current-deployment.ts";
import { bundleCollected } from "./deployments.ts";
import { metadataOf, payloadOf } from "./run-data.ts";

export interface TriggerInput {
  task: string;
  body: TriggerBody;
  replayedFrom?: string;
  /**
   * The concurrency limits of the original run: if the body names none, those that are still declared apply.
   */
  limits?: string[];
  /** The bulk action that replays the run. */
  bulkAction?: string;
  /** Identifies the call: see `requestKeyOf`. */
  requestKey?: string;
  /** The request's `traceparent` header. */
  traceparent?: string;
  /** Milliseconds for which the caller waits for the run's end. */
  waitMs?: number;
  /** The operation of a run that requests it. */
  operationKey?: string;
  /** True: the parent waits for the run. */
  parentWaits?: boolean;
}

/** One run to create, and its queue, for which its id was made. */
export interface PreparedRun extends Omit<QueuedRuns, "items"> {
  item: TriggerItem;
  /** True: the queue has more partitions than this one. */
  split: boolean;
}

/** A run's position in its tree of parents and children. */
export interface Family {
  parentRunId?: string;
  rootRunId?: string;
  depth: number;
  /** Absent: the parent doesn't wait for the run. */
  waitDepth?: number;
}

/**
 * Prepares the runs that triggers request in one environment. It caches lookups, so all items of a batch use
 * one instance. It lives as long as a request.
 */
export class RunPreparation {
  readonly env: Bindings;
  readonly environment: EnvironmentRef;
  readonly #traceparent: string | undefined;
  readonly #missing = new Map<string, Promise<KnownDeployment | null>>();
  readonly #versions = new Map<string, Promise<LockedVersion>>();
  readonly #parents = new Map<string, Promise<RunRecord | null>>();

  /** `traceparent`: the header of the request. */
  constructor(env: Bindings, environment: EnvironmentRef, traceparent?: string) {
    this.env = env;
    this.environment = environment;
    this.#traceparent = traceparent;
  }

  /**
   * Throws a Failure that says what is wrong with the input; at most a large payload is in the blob store
   * then.
   */
  async prepare(input: TriggerInput): Promise<PreparedRun> {
    const { env, environment } = this;
    const now = Date.now();
    const options = input.body.options ?? {};
    const locked =
      options.lockToVersion === undefined ? null : await this.#lockedTo(options.lockToVersion, input.task);
    // An older version may have tasks that the current one lacks, so only its queues are read.
    const current = locked
      ? await currentDeployment(env, environment.key)
      : await this.#deploymentFor(input.task);
    const known = locked ?? current;
    const task = known?.tasks.get(input.task);
    const queue = queueOf(input.task, options, task);
    const limits = await this.#limitsOf(input, task, current);
    const partitions = current ? partitionsOf(current, current, queue) : 1;
    const target = queueRef(
      environment,
      queue,
      partitions === 1 ? 0 : partitionOf(spreadOf(input), partitions),
    );
    const payload = await payloadOf(env, environment, input.body, options);
    const ttlMs = ttlOf(options) ?? task?.ttlMs ?? DEFAULT_TTL_MS[environment.type];
    const item: TriggerItem = {
      runId: newRunId(target.queueKey, now),
      task: input.task,
      payload: payload?.text,
      payloadType: payload?.type ?? "application/json",
      metadata: metadataOf(options),
      tags: options.tags ?? [],
      concurrencyKey: options.concurrencyKey,
      limits,
      priorityMs: (options.priority ?? 0) * 1000,
      delayUntil: delayUntilOf(options, now),
      ttlMs: ttlMs || undefined,
      maxAttempts: options.maxAttempts,
      retry: task?.retry ?? known?.retry,
      maxDuration: options.maxDuration === 0 ? undefined : (options.maxDuration ?? task?.maxDuration),
      machine: options.machine ?? task?.machine ?? DEFAULT_MACHINE,
      idempotency: options.idempotencyKey
        ? {
            key: options.idempotencyKey,
            expiresAt: now + ttlOfKey(options),
            claim: true,
            userKey: options.idempotencyKeyOptions?.key,
            scope: options.idempotencyKeyOptions?.scope,
          }
        : undefined,
      debounce: debounceOf(options, now),
      request: options.idempotencyKey || options.debounce ? undefined : requestOf(input.requestKey, now),
      isTest: options.test ?? false,
      known: task !== undefined,
      lockedDeployment: locked?.deployment,
      ...(options.parentRunId === undefined
        ? { depth: 0 }
        : await this.familyOf(options.parentRunId, input.parentWaits)),
      batchId: options.parentBatch,
      traceparent: await this.#traceOf(options.parentRunId),
      waitMs: input.waitMs || undefined,
      replayedFrom: input.replayedFrom,
      bulkAction: input.bulkAction,
    };
    const declaration = current ? declarationOf(current, current, target.queue) : {};
    return { target, declaration, item, split: partitions > 1 };
  }

  /**
   * Returns the position of a child of this run. Throws a 404 for a parent that is not in this environment,
   * and a 422 if the chain of waiting runs would become too long.
   */
  async familyOf(parentRunId: string, parentWaits = false): Promise<Family> {
    const parent = await remembered(this.#parents, parentRunId, () => this.retrieveRun(parentRunId));
    if (!parent)
      throw new Failure(
        404,
        "run_not_found",
        `The parent run ${parentRunId} was not found in this environment.`,
      );
    const family = { parentRunId, rootRunId: parent.rootRunId ?? parentRunId, depth: parent.depth + 1 };
    if (!parentWaits) return family;
    const waitDepth = parent.waitDepth + 1;
    if (waitDepth > LIMITS.waitDepth)
      throw new Failure(
        422,
        "wait_chain_too_deep",
        `Run ${parentRunId} of task "${parent.task}" is the last of ${waitDepth} runs that wait for each other, and at most ` +
          `${LIMITS.waitDepth} may. Does a task trigger itself and wait? End the recursion, or trigger without waiting. ` +
          "Nothing was created.",
      );
    return { ...family, waitDepth };
  }

  /** A child without a trace context belongs to its parent's trace. */
  async #traceOf(parentRunId: string | undefined): Promise<string | undefined> {
    const asked = parseTraceparent(this.#traceparent);
    if (asked) return traceparentOf(asked);
    const parent = parentRunId === undefined ? null : await this.#parents.get(parentRunId);
    return parent ? traceparentOf(contextOfRun(parent.id, parent.traceparent)) : undefined;
  }

  /** Returns null if there is no such run in this environment. */
  async retrieveRun(runId: string): Promise<RunRecord | null> {
    const parts = parseRunId(runId);
    if (parts?.environmentKey !== this.environment.key) return null;
    return queueObjectOf(this.env, parts.queueKey).retrieveRun(this.environment.key, runId);
  }

  /**
   * Returns the concurrency limits of a run: those that its trigger or else its task names, and the task's
   * own. Throws a 404 for a name that the current deployment does not declare.
   */
  async #limitsOf(
    { body, limits }: TriggerInput,
    task: TaskManifest | undefined,
    current: KnownDeployment | null,
  ): Promise<string[] | undefined> {
    const kept = limits?.filter((name) => !isTaskLimit(name) && current?.limits.has(name));
    const named = body.options?.concurrency ?? kept;
    if (!named) return task?.limits;
    const missing = (known: KnownDeployment) => named.find((name) => !known.limits.has(name));
    if (current && missing(current) !== undefined) {
      const { env, environment } = this;
      const fresh = await remembered(this.#missing, "", () => freshDeployment(env, environment.key));
      const name = fresh && missing(fresh);
      if (name) {
        throw new Failure(
          404,
          "concurrency_limit_not_found",
          `Concurrency limit "${name}" is not declared in deployment ${fresh.deployment.version} of environment "${environment.slug}". Declare it with concurrencyLimit() and deploy. Nothing was created.`,
        );
      }
    }
    return [...named, ...(task?.limits?.filter(isTaskLimit) ?? [])];
  }

  /**
   * Returns the current deployment, reading it again before a task counts as unknown. Throws a 404 for a task
   * it doesn't have.
   */
  async #deploymentFor(task: string): Promise<KnownDeployment | null> {
    const { env, environment } = this;
    const cached = await currentDeployment(env, environment.key);
    if (cached?.tasks.has(task)) return cached;
    return remembered(this.#missing, task, async () => {
      const fresh = await freshDeployment(env, environment.key);
      // Nothing was deployed to this environment yet: the run waits for the first deployment (PENDING_VERSION).
      if (!fresh || fresh.tasks.has(task)) return fresh;
      throw this.#taskNotFound(task, fresh.deployment.version);
    });
  }

  /** Throws a 404 for a version that was never deployed, or hasn't got the task, and a 422 for one that is not kept. */
  async #lockedTo(version: string, task: string): Promise<LockedVersion> {
    const { env, environment } = this;
    const locked = await remembered(this.#versions, version, async () => {
      const found = await openRepository(env).findDeploymentByVersion(environment.key, version);
      if (!found) {
        throw new Failure(
          404,
          "version_not_found",
          `Version ${version} was never deployed to environment "${environment.slug}". Nothing was created.`,
        );
      }
      if (found.collectedAt !== null) throw bundleCollected(version);
      const deployment = { id: found.id, version: found.version, contentHash: found.contentHash };
      return { deployment, ...indexed(found.manifest), retry: found.manifest.retry };
    });
    if (!locked.tasks.has(task)) throw this.#taskNotFound(task, version);
    return locked;
  }

  #taskNotFound(task: string, version: string): Failure {
    const { slug, type } = this.environment;
    const remedy =
      type === "DEVELOPMENT"
        ? "run the project that defines it: npx acme dev"
        : `deploy the project that defines it: npx acme deploy --env ${slug}`;
    return new Failure(
      404,
      "task_not_found",
      `Task "${task}" is not in deployment ${version} of environment "${slug}". Check the id, or ${remedy}. Nothing was created.`,
    );
  }
}

/** Returns what a run needs from the requested version. */
interface LockedVersion extends IndexedManifest {
  deployment: DeploymentRef;
  retry: TaskManifest["retry"];
}

function remembered<T>(known: Map<string, Promise<T>>, key: string, load: () => Promise<T>): Promise<T> {
  let value = known.get(key);
  if (value === undefined) {
    value = load();
    known.set(key, value);
  }
  return value;
}

/**
 * Runs of a key are in one partition, where its limits are kept; a repeated request goes to the same
 * partition as before.
 */
const spreadOf = ({ body, requestKey, operationKey }: TriggerInput): string =>
  body.options?.concurrencyKey || requestKey || operationKey || crypto.randomUUID();

const queueOf = (taskId: string, options: TriggerOptions, task: TaskManifest | undefined): string =>
  options.queue?.name ?? task?.queue?.name ?? defaultQueueName(taskId);

function ttlOf(options: TriggerOptions): number | undefined {
  if (options.ttl === undefined) return undefined;
  return typeof options.ttl === "number" ? options.ttl * 1000 : (parseDuration(options.ttl) as number);
}

function delayUntilOf({ delay, debounce }: TriggerOptions, now: number): number | undefined {
  const text = delay ?? debounce?.delay;
  return text === undefined ? undefined : (parseDelay(text, now) as number);
}

function debounceOf({ debounce }: TriggerOptions, now: number): TriggerItem["debounce"] {
  if (!debounce) return undefined;
  const { key, delay, mode, maxDelay } = debounce;
  return {
    key,
    until: now + (parseDuration(delay) as number),
    maxDelayMs: maxDelay === undefined ? undefined : (parseDuration(maxDelay) as number),
    trailing: mode === "trailing",
    claim: true,
  };
}

/** A development run that was not started within this time is no longer of interest. */
const DEFAULT_TTL_MS: Partial<Record<EnvironmentRef["type"], number>> = { DEVELOPMENT: 600_000 };

const MINUTE_MS = 60_000;
const REQUEST_MS = 60 * MINUTE_MS;

/** Rounded to full minutes, so that the keys of a busy queue expire together. */
const requestOf = (key: string | undefined, now: number): TriggerItem["request"] =>
  key === undefined ? undefined : { key, expiresAt: Math.ceil((now + REQUEST_MS) / MINUTE_MS) * MINUTE_MS };

const ttlOfKey = (options: TriggerOptions): number =>
  options.idempotencyKeyTTL
    ? (parseDuration(options.idempotencyKeyTTL) as number)
    : DEFAULTS.idempotencyKeyTtlMs;
