import type { QueueLimitName, QueueStats } from "@acme/durable-objects/rpc";
import type { QueueItem } from "@acme/sdk/contract/api";
import { isoTime } from "./time.ts";

const TASK_PREFIX = "task/";

export const queueIdOf = (queueKey: string): string => `queue_${queueKey}`;

/** Returns a queue's name in the API. The name of a task's own queue is the task's id. */
export const queueNameOf = (queue: string): Pick<QueueItem, "name" | "type"> =>
  queue.startsWith(TASK_PREFIX)
    ? { name: queue.slice(TASK_PREFIX.length), type: "task" }
    : { name: queue, type: "custom" };

/** Returns a queue as the API shows it. */
export function queueView(queueKey: string, stats: QueueStats): QueueItem {
  const { queue, running, pending, notYetQueued, settings, declared, overrides } = stats;
  const limit = <N extends QueueLimitName>(name: N) => {
    const override = overrides[name];
    return {
      current: settings[name],
      base: declared[name] ?? null,
      override: override?.value ?? null,
      overriddenAt: override ? isoTime(override.at) : null,
      overriddenBy: null,
    };
  };
  return {
    id: queueIdOf(queueKey),
    ...queueNameOf(queue),
    running,
    queued: pending,
    paused: settings.paused,
    concurrencyLimit: settings.concurrencyLimit,
    version: "V1",
    concurrency: limit("concurrencyLimit") as QueueItem["concurrency"],
    totalConcurrency: limit("totalConcurrencyLimit") as QueueItem["totalConcurrency"],
    delayed: notYetQueued,
    rateLimit: limit("rateLimit") as QueueItem["rateLimit"],
    rateLimitPerKey: limit("rateLimitPerKey") as QueueItem["rateLimitPerKey"],
    partitions: { ...limit("partitions"), current: settings.partitions ?? 1 } as QueueItem["partitions"],
  };
}
