import type { BatchOwnerRpc } from "@acme/durable-objects/batches";
import type { DispatcherRpc, EnvironmentRpc, FeedRpc, QueueRpc } from "@acme/durable-objects/rpc";
import type { EnvironmentSchedulesRpc } from "@acme/durable-objects/schedules";
import type { WaitpointOwnerRpc } from "@acme/durable-objects/waitpoints";
import { parseRunId } from "@acme/sdk/contract";
import type { Bindings } from "./bindings.ts";
import { runNotFound } from "./http/failure.ts";

/** Stubs of the objects, by the RPC types they answer to. */
export const queueObjectOf = (env: Bindings, queueKey: string): QueueRpc =>
  env.QUEUE.getByName(queueKey) as unknown as QueueRpc;

export const environmentObjectOf = (env: Bindings, environmentKey: string): EnvironmentRpc =>
  env.ENVIRONMENT.getByName(environmentKey) as unknown as EnvironmentRpc;

export const schedulesOf = (env: Bindings, environmentKey: string): EnvironmentSchedulesRpc =>
  env.ENVIRONMENT.getByName(environmentKey) as unknown as EnvironmentSchedulesRpc;

export const dispatcherObject = (env: Bindings): DispatcherRpc =>
  env.DISPATCHER.getByName("default") as unknown as DispatcherRpc;

export const runFeed = (env: Bindings, runId: string): FeedRpc =>
  env.FEED.getByName(`run:${runId}`) as unknown as FeedRpc;

/** By the token's id, or as home of an idempotency key. */
export const waitpointObjectOf = (env: Bindings, name: string): WaitpointOwnerRpc =>
  env.WAITPOINT.getByName(name) as unknown as WaitpointOwnerRpc;

/** By the batch's id, or as home of an idempotency key. */
export const batchObjectOf = (env: Bindings, name: string): BatchOwnerRpc =>
  env.BATCH.getByName(name) as unknown as BatchOwnerRpc;

/** The owner of a run, if the run's id says that it is of this environment. Throws a 404 before any object is asked. */
export function ownerOf(env: Bindings, environmentKey: string, runId: string): QueueRpc {
  const parts = parseRunId(runId);
  if (!parts || parts.environmentKey !== environmentKey) throw runNotFound(runId);
  return queueObjectOf(env, parts.queueKey);
}
