import { declarationOf, type IndexedManifest, indexed } from "@acme/durable-objects/routing";
import type { DeploymentRef, QueueDeclaration } from "@acme/durable-objects/rpc";
import type { TaskManifest } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { environmentObjectOf } from "../objects.ts";

/** The deployment that new runs of an environment go to, with its tasks and queues by name. */
export interface KnownDeployment extends IndexedManifest {
  deployment: DeploymentRef;
  promotion: number;
  queueSizeLimit: number | null;
  partitions: Record<string, number>;
  retry: TaskManifest["retry"];
}

const cache = new Cache<KnownDeployment>(5_000);

/** What the current deployment says about a queue; asked now, as whoever asks changes something. */
export async function declarationFor(
  env: Bindings,
  environmentKey: string,
  queue: string,
): Promise<QueueDeclaration> {
  const known = await freshDeployment(env, environmentKey);
  return known ? declarationOf(known, known, queue) : {};
}

/** From this isolate's cache of seconds, or from the environment's object. Null: nothing was deployed yet. */
export function currentDeployment(env: Bindings, environmentKey: string): Promise<KnownDeployment | null> {
  return cache.through(environmentKey, () => load(env, environmentKey));
}

/** Asks the environment's object now: for what the cache doesn't know. */
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
