import { declarationOf, type IndexedManifest, indexed } from "@acme/durable-objects/routing";
import type { DeploymentRef, QueueDeclaration } from "@acme/durable-objects/rpc";
import type { TaskManifest } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { environmentObjectOf } from "../objects.ts";

/** The deployment on which new runs of an environment start, with its tasks and queues by name. */
export interface KnownDeployment extends IndexedManifest {
  deployment: DeploymentRef;
  promotion: number;
  queueSizeLimit: number | null;
  partitions: Record<string, number>;
  retry: TaskManifest["retry"];
}

const cache = new Cache<KnownDeployment>(5_000);

/**
 * Returns what the current deployment declares for a queue. It bypasses the cache, because the caller changes
 * the queue.
 */
export async function declarationFor(
  env: Bindings,
  environmentKey: string,
  queue: string,
): Promise<QueueDeclaration> {
  const known = await freshDeployment(env, environmentKey);
  return known ? declarationOf(known, known, queue) : {};
}

/** Returns the current deployment, at most 5 s old; null if nothing was deployed yet. */
export function currentDeployment(env: Bindings, environmentKey: string): Promise<KnownDeployment | null> {
  return cache.through(environmentKey, () => load(env, environmentKey));
}

/** Returns the current deployment from the environment's object. */
export async function freshDeployment(
  env: Bindings,
  environmentKey: string,
): Promise<KnownDeployment | null> {
  const known = await load(env, environmentKey);
  if (known) cache.set(environmentKey, known);
  return known;
}

async function load(env: Bindings, environmentKey: string): Promise<KnownDeployment | null> {
  const current = await environmentObjectOf(env, environmentKey).currentDeployment();
  if (!current) return null;
  return {
    deployment: current.deployment,
    promotion: current.promotion,
    queueSizeLimit: current.queueSizeLimit,
    partitions: current.partitions,
    ...indexed(current.manifest),
    retry: current.manifest.retry,
  };
}
