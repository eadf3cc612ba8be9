import { MAX_PARTITIONS } from "../contract/limits.ts";
import type {
  NamedLimitManifest,
  QueueLimits,
  QueueManifest,
  TaskManifest,
  WorkerManifest,
} from "../contract/manifest.ts";
import type { RateLimit as RateLimitManifest } from "../contract/rate-limit.ts";
import { durationMs } from "../define/duration.ts";
import type { QueueLimitOptions, RateLimit } from "../define/queue.ts";
import { jsonSchemaOf } from "../define/schema.ts";
import type { DeclaredLimit, DeclaredQueue, RegisteredTask, SdkState } from "../run/state.ts";

/** Why a bundle cannot be deployed. */
export interface IndexProblem {
  code:
    | "IMPORT_FAILED"
    | "PROCESS_ENDED"
    | "TIMED_OUT"
    | "NO_TASKS"
    | "DUPLICATE_TASK"
    | "CONFLICTING_QUEUE"
    | "INVALID_QUEUE"
    | "CONFLICTING_LIMIT"
    | "INVALID_LIMIT"
    | "INVALID_TASK";
  /** Says what to do. */
  message: string;
  stackTrace?: string;
}

/** Returns what an imported bundle declares, or what is wrong with it. */
export function manifestOf(state: SdkState): { manifest: WorkerManifest } | { problem: IndexProblem } {
  if (state.declared.length === 0) {
    return problem(
      "NO_TASKS",
      'No tasks were found. Export at least one from a file in the `dirs` of the configuration: export const hello = task({ id: "hello", run: async () => {} })',
    );
  }
  const seen = new Map<string, RegisteredTask>();
  for (const task of state.declared) {
    const first = seen.get(task.id);
    if (first) {
      return problem(
        "DUPLICATE_TASK",
        `The task id "${task.id}" is declared twice: in ${placeOf(first)} and in ${placeOf(task)}. Task ids have to be unique in a project`,
      );
    }
    seen.set(task.id, task);
  }
  const queues = mergeQueues(state.queues);
  if ("problem" in queues) return queues;
  const limits = mergeLimits(state.limits ?? []);
  if ("problem" in limits) return limits;
  const tasks: TaskManifest[] = [];
  for (const task of seen.values()) {
    const undeclared = task.limits?.find((name) => !limits.byName.has(name));
    if (undeclared !== undefined)
      return problem(
        "INVALID_TASK",
        `Task "${task.id}" in ${placeOf(task)} names the concurrency limit "${undeclared}", which is not declared: concurrencyLimit({ name: "${undeclared}", total: 10 })`,
      );
    try {
      tasks.push(taskManifest(task, state));
    } catch (error) {
      return problem("INVALID_TASK", `Task "${task.id}" in ${placeOf(task)}: ${(error as Error).message}`);
    }
  }
  const { retry, suspendAfterMs } = state.config;
  return {
    manifest: {
      tasks,
      queues: queues.queues,
      ...(limits.byName.size > 0 && { limits: [...limits.byName.values()] }),
      retry,
      suspendAfterMs,
      runtime: "node",
      sdkVersion: "0.1.0",
    },
  };
}

const problem = (code: IndexProblem["code"], message: string): { problem: IndexProblem } => ({
  problem: { code, message },
});

const placeOf = (task: RegisteredTask): string =>
  (task.filePath ?? "a file that does not export it") +
  (task.exportName ? ` (export ${task.exportName})` : "");

function taskManifest(task: RegisteredTask, state: SdkState): TaskManifest {
  const { config } = state;
  return {
    id: task.id,
    filePath: task.filePath ?? "",
    exportName: task.exportName,
    description: task.description,
    queue: task.queue && { ...limitsOf(task.queue), ...(task.queue.name && { name: task.queue.name }) },
    ...(task.limits && { limits: task.limits }),
    retry: task.retry,
    machine: task.machine ?? config.machine,
    maxDuration: task.maxDuration ?? config.maxDuration,
    ttlMs: task.ttl === undefined ? config.ttlMs : durationMs(task.ttl),
    triggerSource: task.triggerSource,
    schedule: task.schedule,
    payloadSchema: task.jsonSchema ?? jsonSchemaOf(task.schema),
  };
}

/**
 * Returns one entry per name. Several declarations of a queue have to agree, but each may leave limits to the
 * others.
 */
function mergeQueues(declared: DeclaredQueue[]): { queues: QueueManifest[] } | { problem: IndexProblem } {
  const byName = new Map<string, QueueManifest>();
  for (const { name, ...options } of declared) {
    const known = byName.get(name) ?? { name };
    let limits: QueueLimits;
    try {
      limits = limitsOf(options);
    } catch (error) {
      return problem("INVALID_QUEUE", `The queue "${name}": ${(error as Error).message}`);
    }
    for (const limit of Object.keys(limits) as (keyof QueueLimits)[]) {
      const [before, now] = [known[limit], limits[limit]].map((value) => JSON.stringify(value));
      if (before !== undefined && before !== now) {
        return problem(
          "CONFLICTING_QUEUE",
          `The queue "${name}" is declared with the ${LIMIT_NAMES[limit]} ${before} and ${now}. Declare it once with queue() and use that declaration everywhere`,
        );
      }
    }
    byName.set(name, { ...known, ...limits });
  }
  return { queues: [...byName.values()] };
}

/** Returns the limits that tasks share, by name. A limit that is declared twice has to be declared alike. */
function mergeLimits(
  declared: DeclaredLimit[],
): { byName: Map<string, NamedLimitManifest> } | { problem: IndexProblem } {
  const byName = new Map<string, NamedLimitManifest>();
  for (const { name, perKey, total } of declared) {
    for (const bound of [perKey, total]) {
      if (bound === undefined || (Number.isInteger(bound) && bound >= 1 && bound <= 100_000)) continue;
      return problem(
        "INVALID_LIMIT",
        `The concurrency limit "${name}": a bound has to be a whole number from 1 to 100,000, not ${JSON.stringify(bound)}`,
      );
    }
    const known = byName.get(name);
    if (known && (known.perKey !== perKey || known.total !== total))
      return problem(
        "CONFLICTING_LIMIT",
        `The concurrency limit "${name}" is declared twice, with other bounds. Declare it once with concurrencyLimit() and use that declaration everywhere`,
      );
    byName.set(name, {
      name,
      ...(perKey !== undefined && { perKey }),
      ...(total !== undefined && { total }),
    });
  }
  return { byName };
}

const LIMIT_NAMES: Record<keyof QueueLimits, string> = {
  concurrencyLimit: "concurrency limits",
  totalConcurrencyLimit: "total concurrency limits",
  rateLimit: "rate limits",
  rateLimitPerKey: "rate limits per key",
  partitions: "partitions",
};

/**
 * Returns the limits that are declared. Throws if a period is not a duration, or the number of partitions is
 * out of range.
 */
function limitsOf(options: QueueLimitOptions): QueueLimits {
  const { concurrencyLimit, totalConcurrencyLimit, rateLimit, rateLimitPerKey, partitions } = options;
  if (
    partitions != null &&
    !(Number.isInteger(partitions) && partitions >= 1 && partitions <= MAX_PARTITIONS)
  )
    throw new Error(
      `partitions has to be a whole number from 1 to ${MAX_PARTITIONS}, not ${JSON.stringify(partitions)}`,
    );
  return {
    ...(concurrencyLimit != null && { concurrencyLimit }),
    ...(totalConcurrencyLimit != null && { totalConcurrencyLimit }),
    ...(rateLimit && { rateLimit: rateLimitOf(rateLimit) }),
    ...(rateLimitPerKey && { rateLimitPerKey: rateLimitOf(rateLimitPerKey) }),
    ...(partitions != null && { partitions }),
  };
}

const rateLimitOf = ({ limit, period, burst }: RateLimit): RateLimitManifest => ({
  limit,
  period: typeof period === "number" ? period : durationMs(period),
  ...(burst !== undefined && { burst }),
});
