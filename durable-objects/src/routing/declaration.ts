import {
  limitsOfQueue,
  type NamedLimitManifest,
  type QueueManifest,
  type TaskManifest,
  type WorkerManifest,
} from "@acme/sdk/contract";
import type { CurrentDeployment } from "../environment/rpc.ts";
import type { QueueDeclaration } from "../queue/rpc.ts";

/** The contents of a manifest, by name. */
export interface IndexedManifest {
  tasks: Map<string, TaskManifest>;
  queues: Map<string, QueueManifest>;
  limits: Map<string, NamedLimitManifest>;
}

export const indexed = (manifest: WorkerManifest): IndexedManifest => ({
  tasks: new Map(manifest.tasks.map((task) => [task.id, task])),
  queues: new Map(manifest.queues.map((queue) => [queue.name, queue])),
  limits: new Map((manifest.limits ?? []).map((limit) => [limit.name, limit])),
});

/** The declaration of a queue by the current deployment, as the queue receives it. */
export function declarationOf(
  { promotion, queueSizeLimit }: Pick<CurrentDeployment, "promotion" | "queueSizeLimit">,
  { tasks, queues }: IndexedManifest,
  queue: string,
): QueueDeclaration {
  const { concurrencyLimit, totalConcurrencyLimit, rateLimit, rateLimitPerKey, partitions } = limitsOfQueue(
    { queue: (name) => queues.get(name), task: (id) => tasks.get(id) },
    queue,
  );
  return {
    concurrencyLimit,
    totalConcurrencyLimit,
    rateLimit,
    rateLimitPerKey,
    partitions,
    sizeLimit: queueSizeLimit,
    promotion,
  };
}
