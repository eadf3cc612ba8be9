import type { DeploymentRef } from "@acme/durable-objects/rpc";
import type { QueueManifest, TaskManifest } from "@acme/sdk/contract";
import type { Bindings } from "./bindings.ts";
import { Cache } from "./cache.ts";
import { environmentObjectOf } from "./objects.ts";

/** The deployment that new runs of an environment go to, with its tasks and queues by name. */
export interface KnownDeployment {
  deployment: DeploymentRef;
  tasks: Map<string, TaskManifest>;
  queues: Map<string, QueueManifest>;
  retry: TaskManifest["retry"];
}

const cache = new Cache<KnownDeployment>(5_000);

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
    tasks: new Map(current.manifest.tasks.map((task) => [task.id, task])),
    queues: new Map(current.manifest.queues.map((queue) => [queue.name, queue])),
    retry: current.manifest.retry,
  };
}
