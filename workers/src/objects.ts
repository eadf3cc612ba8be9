import { HOST_POOL, poolOf, stubs } from "@acme/durable-objects/routing";
import type {
  BatchOwnerRpc,
  DispatcherRpc,
  EnvironmentRef,
  EnvironmentRpc,
  EnvironmentSchedulesRpc,
  FeedRpc,
  QueueRpc,
  WaitpointOwnerRpc,
} from "@acme/durable-objects/rpc";
import { parseRunId } from "@acme/sdk/contract";
import type { Bindings } from "./bindings.ts";
import { runNotFound } from "./http/failure.ts";

/** Returns stubs of the objects with their RPC types. */
export const queueObjectOf = (env: Bindings, queueKey: string): QueueRpc => stubs(env).queue(queueKey);

export const environmentObjectOf = (env: Bindings, environmentKey: string): EnvironmentRpc =>
  stubs(env).environment(environmentKey);

export const schedulesOf = (env: Bindings, environmentKey: string): EnvironmentSchedulesRpc =>
  stubs(env).environment(environmentKey);

/** The dispatcher of the container hosts. */
export const dispatcherObject = (env: Bindings): DispatcherRpc => stubs(env).dispatcher(HOST_POOL);

/** The dispatcher of the hosts that execute an environment's runs. */
export const dispatcherOf = (env: Bindings, environment: EnvironmentRef): DispatcherRpc =>
  stubs(env).dispatcher(poolOf(environment));

export const runFeed = (env: Bindings, runId: string): FeedRpc => stubs(env).feed(runId);

export const traceFeed = (env: Bindings, environmentKey: string, traceId: string): FeedRpc =>
  stubs(env).traceFeed(environmentKey, traceId);

export const metricsFeed = (env: Bindings, environmentKey: string): FeedRpc =>
  stubs(env).metricsFeed(environmentKey);

/** `name`: the token's id, or the home of an idempotency key. */
export const waitpointObjectOf = (env: Bindings, name: string): WaitpointOwnerRpc =>
  stubs(env).waitpoint(name);

/** `name`: the batch's id, or the home of an idempotency key. */
export const batchObjectOf = (env: Bindings, name: string): BatchOwnerRpc => stubs(env).batch(name);

/**
 * Returns the owner of a run if the run's id names this environment. Otherwise throws a 404 without calling
 * any object.
 */
export function ownerOf(env: Bindings, environmentKey: string, runId: string): QueueRpc {
  const parts = parseRunId(runId);
  if (!parts || parts.environmentKey !== environmentKey) throw runNotFound(runId);
  return queueObjectOf(env, parts.queueKey);
}
