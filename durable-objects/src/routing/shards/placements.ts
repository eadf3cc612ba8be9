import { randomBase36 } from "@acme/sdk/contract";
import type { EnvironmentRef } from "../refs.ts";
import type { ShardBindings } from "./bindings.ts";

/** The processes of environments. An environment moves only while the server is stopped, so an entry stays true. */
const known = new Map<string, number>();
const MAX_KNOWN = 100_000;

/** Returns the process of an environment, if this one has asked before. */
export const knownShardOf = (environmentKey: string): number | undefined => known.get(environmentKey);

/** Returns the number of the process that has an environment's objects. */
export async function shardOf(env: ShardBindings, environmentKey: string): Promise<number> {
  return known.get(environmentKey) ?? remember(environmentKey, await ask(env, environmentKey, "GET"));
}

/** Makes the key of a new environment. Its objects get the process with the fewest environments of its type. */
export async function newEnvironmentKey(env: ShardBindings, type: EnvironmentRef["type"]): Promise<string> {
  const key = randomBase36(8);
  if (env.SHARD !== undefined) remember(key, await ask(env, `${key}/${type}`, "PUT"));
  return key;
}

function remember(environmentKey: string, shard: number): number {
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(environmentKey, shard);
  return shard;
}

async function ask(env: ShardBindings, environment: string, method: "GET" | "PUT"): Promise<number> {
  if (!env.PLACEMENTS) throw new Error("SHARD is set, but PLACEMENTS is not bound.");
  const response = await env.PLACEMENTS.fetch(`http://placements/${environment}`, { method });
  const text = await response.text();
  if (!response.ok || !/^\d+$/.test(text))
    throw new Error(`The process of environment ${environment} is unknown: ${response.status} ${text}`);
  return Number(text);
}
