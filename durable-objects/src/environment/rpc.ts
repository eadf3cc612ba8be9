import type { WorkerManifest } from "@acme/sdk/contract";
import type { LeasedRun, QueueState } from "../queue/rpc.ts";
import type { DeploymentRef, EnvironmentRef } from "../routing/refs.ts";

/** An environment's state as its dispatcher needs it. */
export interface EnvironmentState {
  environmentKey: string;
  seq: number;
  /** Runs that could be dequeued now under the limits of the environment and its queues. */
  ready: number;
  /** The environment's share among those with something ready. */
  weight: number;
}

/** A deployment that becomes the current one. */
export interface PromotedDeployment {
  deployment: DeploymentRef;
  manifest: WorkerManifest;
}

/** The current deployment with what the Worker needs to trigger: cached in the isolate for seconds. */
export interface CurrentDeployment extends PromotedDeployment {
  /** Counts the promotions of the environment. */
  promotion: number;
  /** The maximum number of runs of a queue that have not started. Null: the platform's limit. */
  queueSizeLimit: number | null;
  /** Partitions of the queues for which they were set through the API, by name. */
  partitions: Record<string, number>;
}

/** The settings of one environment. */
export interface EnvironmentSettings {
  /** The maximum number of runs that execute at once in any single queue. */
  concurrencyLimit: number;
  /** All queues together may use this many times the limit, rounded down. At least 1. */
  burstFactor: number;
  /** The weight among all environments when there are more runs than hosts can take. */
  weight: number;
  /** See `CurrentDeployment`. */
  queueSizeLimit: number | null;
  /** True: no run is started. */
  paused: boolean;
}

/** A queue, and its partitions that have or may get runs; always includes the first one. */
export interface KnownQueue {
  queue: string;
  partitions: number[];
}

export interface EnvironmentStats {
  queues: number;
  held: number;
  ready: number;
  settings: EnvironmentSettings;
}

/**
 * What an environment knows about why the runs of one of its queues do not execute. Null: there is no limit.
 */
export interface QueueHold {
  paused: boolean;
  /** Slots of all queues: what is in use, and the limit with its burst. */
  environment: { running: number; limit: number; free: number };
  /** Slots of the queue, over all of its partitions: no queue has more than the environment's limit without its burst. */
  queue: { running: number; limit: number };
  /** The shared counts of a split queue. */
  shared: { running: number; limit: number | null; nextStartAt: number | null } | null;
  /** The current deployment; null: nothing was deployed. */
  version: string | null;
  /** Whether the current deployment has the task. */
  knowsTask: boolean;
  /** The named limits that the run holds; `key` is the bound of its concurrency key. */
  limits: (LimitState & { key: LimitKeyState })[];
}

/** One bound of a named concurrency limit. Times are in milliseconds since the epoch. Null: none. */
export interface LimitBound {
  /** The effective bound, which never exceeds the environment's limit. */
  current: number | null;
  /** The bound that the current deployment declares. */
  base: number | null;
  override: number | null;
  overriddenAt: number | null;
}

export interface LimitState {
  name: string;
  perKey: LimitBound;
  total: LimitBound;
  running: number;
  queued: number;
  paused: boolean;
}

/** The bound of a limit for one concurrency key. */
export interface LimitKeyState {
  name: string;
  concurrencyKey: string;
  perKey: { current: number | null; base: number | null; override: number | null; expiresAt: number | null };
  running: number;
  paused: boolean;
}

export type LimitChange =
  | { type: "pause"; paused: boolean }
  | { type: "override"; perKey?: number; total?: number }
  | { type: "reset" }
  | { type: "override-key"; key: string; perKey: number; ttlMs: number }
  | { type: "reset-key"; key: string };

export interface EnvironmentRpc {
  /**
   * Called by a queue after every change of its state. If the queue has parked runs or knows only an earlier
   * promotion, it learns of the current deployment before this returns, because a trigger may have been in
   * flight during the promotion.
   */
  reportQueue(state: QueueState): Promise<void>;
  currentDeployment(): Promise<CurrentDeployment | null>;
  promoteDeployment(environment: EnvironmentRef, promoted: PromotedDeployment): Promise<void>;
  environmentStats(): Promise<EnvironmentStats>;
  updateEnvironment(
    environment: EnvironmentRef,
    settings: Partial<EnvironmentSettings>,
  ): Promise<EnvironmentSettings>;
  /**
   * Returns the names of queues that ever had a run or that the current deployment declares, in alphabetical
   * order.
   */
  listQueues(offset: number, limit: number): Promise<{ queues: KnownQueue[]; count: number }>;
  /**
   * Returns the keys of all queue objects that have or may have runs, after the given one in their order. A queue is
   * among them before its first trigger is acknowledged.
   */
  queueKeys(after: string, limit: number): Promise<string[]>;
  queueHold(queue: string, task: string, limits: string[], concurrencyKey: string): Promise<QueueHold>;
  /** Returns the named concurrency limits in alphabetical order. */
  listLimits(offset: number, limit: number): Promise<{ limits: LimitState[]; count: number }>;
  /** Null: there is no limit with this name. */
  findLimit(name: string): Promise<LimitState | null>;
  findLimitKey(name: string, concurrencyKey: string): Promise<LimitKeyState | null>;
  /** When this returns, no run starts under the former limit. */
  changeLimit(name: string, change: LimitChange): Promise<"ok" | "not_found" | "too_many_keys">;
  /** Returns the queue that has a partition with this key; null if no queue has one. */
  findQueue(queueKey: string): Promise<KnownQueue | null>;
  /** From the DispatcherObject only. */
  dequeueForHost(grant: {
    hostId: string;
    sessionId: string;
    max: number;
  }): Promise<EnvironmentState & { runs: LeasedRun[] }>;
  syncState(): Promise<EnvironmentState | null>;
}
