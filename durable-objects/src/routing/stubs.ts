import type { BatchOwnerRpc } from "../batch/rpc.ts";
import type { DispatcherRpc } from "../dispatcher/rpc.ts";
import type { EnvironmentRpc } from "../environment/rpc.ts";
import type { EnvironmentSchedulesRpc } from "../environment/schedules/rpc.ts";
import type { FeedRpc } from "../feed/rpc.ts";
import type { LiveRpc } from "../live/rpc.ts";
import type { QueueRpc } from "../queue/rpc.ts";
import type { WaitpointOwnerRpc } from "../waitpoint/rpc.ts";
import type { ShardBindings } from "./shards/bindings.ts";
import { objectOf } from "./shards/object-of.ts";

/** A namespace of objects that answer to the interface `Methods`. */
export type Namespace<Methods> = DurableObjectNamespace<Methods & Rpc.DurableObjectBranded>;

/** Bindings that the objects use. The Worker's own bindings extend these. */
export interface ObjectBindings extends ShardBindings {
  QUEUE: Namespace<QueueRpc>;
  ENVIRONMENT: Namespace<EnvironmentRpc & EnvironmentSchedulesRpc>;
  DISPATCHER: Namespace<DispatcherRpc>;
  FEED: Namespace<FeedRpc>;
  WAITPOINT: Namespace<WaitpointOwnerRpc>;
  BATCH: Namespace<BatchOwnerRpc>;
  LIVE: Namespace<LiveRpc>;
}

/** How each object is named and found. */
export const stubs = (env: ObjectBindings) => ({
  queue: (queueKey: string): QueueRpc => objectOf(env, "QUEUE", env.QUEUE, queueKey),
  environment: (environmentKey: string): EnvironmentRpc & EnvironmentSchedulesRpc =>
    objectOf(env, "ENVIRONMENT", env.ENVIRONMENT, environmentKey),
  /** The dispatcher of a pool of hosts: see `pool.ts`. */
  dispatcher: (pool: string) => objectOf(env, "DISPATCHER", env.DISPATCHER, pool),
  /** The feed of one run. */
  feed: (runId: string): FeedRpc => objectOf(env, "FEED", env.FEED, `run:${runId}`),
  /** The spans of one trace, to which several runs and services of an environment can contribute. */
  traceFeed: (environmentKey: string, traceId: string): FeedRpc =>
    objectOf(env, "FEED", env.FEED, `trace:${environmentKey}:${traceId}`),
  /** Metrics of an environment's services, which belong to no run. */
  metricsFeed: (environmentKey: string): FeedRpc =>
    objectOf(env, "FEED", env.FEED, `metrics:${environmentKey}`),
  /** `name`: the token's id, or the home of a token's idempotency key. */
  waitpoint: (name: string): WaitpointOwnerRpc => objectOf(env, "WAITPOINT", env.WAITPOINT, name),
  /** `name`: the batch's id, or the home of a batch's idempotency key. */
  batch: (name: string): BatchOwnerRpc => objectOf(env, "BATCH", env.BATCH, name),
  /** The watchers of an environment. */
  live: (environmentKey: string) => objectOf(env, "LIVE", env.LIVE, environmentKey),
});

export type Stubs = ReturnType<typeof stubs>;
