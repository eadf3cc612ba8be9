import { taskLimitName } from "../contract/limit-names.ts";
import { type DeclaredLimit, state } from "../run/state.ts";
import type { TaskQueueOptions } from "./task-types.ts";

/** How many runs may execute at once. */
export interface ConcurrencyShape {
  /**
   * How many runs of each `concurrencyKey` may execute at once. Runs without a key count as runs of one key.
   */
  perKey?: number;
  /** How many runs of all keys together may execute at once. */
  total?: number;
}

export interface ConcurrencyLimitOptions extends ConcurrencyShape {
  /** 1 to 122 letters, digits, underscores and hyphens. */
  name: string;
}
export type ConcurrencyLimit = ConcurrencyLimitOptions;

/** A limit of the task itself, or a shared one: the return value of `concurrencyLimit()`, or its name. */
export type TaskConcurrencyItem = ConcurrencyShape | ConcurrencyLimit | string;

/** One limit or several: at most one of the task itself, and at most two shared ones. */
export type TaskConcurrency = TaskConcurrencyItem | TaskConcurrencyItem[];

const NAME = /^[a-zA-Z0-9_-]{1,122}$/;

/** @throws Error for a name that no limit can have */
export function checkLimitName(name: unknown): asserts name is string {
  if (typeof name === "string" && NAME.test(name)) return;
  throw new Error(
    `Concurrency limit ${JSON.stringify(name)}: a name has 1 to 122 letters, digits, underscores and hyphens`,
  );
}

/**
 * Declares a concurrency limit that several tasks can share: `task({ concurrency: openai, … })`. It applies
 * to all runs of those tasks together, whichever queues they are in.
 */
export function concurrencyLimit(options: ConcurrencyLimitOptions): ConcurrencyLimit {
  checkLimitName(options.name);
  declare(options);
  return options;
}

/** One object may be named by several tasks. */
function declare(limit: DeclaredLimit): void {
  state.limits ??= [];
  if (!state.limits.includes(limit)) state.limits.push(limit);
}

/**
 * Returns the queue of a task, and the names of the limits that its runs hold in addition to those of the
 * queue.
 */
export function concurrencyOf({
  id,
  queue,
  concurrency,
}: {
  id: string;
  queue?: string | TaskQueueOptions;
  concurrency?: TaskConcurrency;
}): { queue: TaskQueueOptions | undefined; limits: string[] | undefined } {
  const named = typeof queue === "string" ? { name: queue } : queue;
  if (concurrency === undefined) return { queue: named, limits: undefined };
  const own: ConcurrencyShape[] = [];
  const shared = new Set<string>();
  for (const item of [concurrency].flat()) {
    if (typeof item === "object" && !("name" in item)) {
      own.push(item);
      continue;
    }
    const name = typeof item === "string" ? item : item.name;
    checkLimitName(name);
    shared.add(name);
    if (typeof item === "object") declare(item);
  }
  if (own.length > 1)
    throw new Error(
      `Task "${id}": "concurrency" takes one limit without a name. Limits that tasks share have names: concurrencyLimit({ name: "openai", total: 10 })`,
    );
  if (shared.size > 2) throw new Error(`Task "${id}": "concurrency" takes at most two limits with names`);
  const [limit] = own;
  const limits = [...shared];
  if (!limit) return { queue: named, limits: limits.length > 0 ? limits : undefined };
  const { perKey, total } = limit;
  if (!named?.name) {
    const ownQueue = { ...named, concurrencyLimit: perKey, totalConcurrencyLimit: total };
    return { queue: ownQueue, limits: limits.length > 0 ? limits : undefined };
  }
  // The task's queue is shared, so the task's own limit becomes a named limit that only its runs hold.
  const name = taskLimitName(id);
  declare({ name, perKey, total });
  return { queue: named, limits: [...limits, name] };
}
