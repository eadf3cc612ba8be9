/**
 * Types that a queue and its environment exchange: permits to lease runs, and the state on which grants are
 * based.
 */
import type { DeploymentRef } from "../routing/refs.ts";
import type { QueueChanges } from "./queue-settings.ts";

/** A queue's state as its environment needs it: absolute values with a sequence number, so that an older one changes nothing. */
export interface QueueState {
  queueKey: string;
  /** Queue name as users know it. */
  queue: string;
  partition: number;
  seq: number;
  /** Runs that hold a slot. */
  held: number;
  /** Prefetched permits that are left (see `PrefetchedPermits`): each may become a slot at any moment. */
  prefetched: number;
  /** Runs that could be dequeued now under the queue's own limits, without those that prefetched permits are left for. */
  ready: number;
  /** The part of the above that concerns runs without a concurrency key, whose limit partitions share. */
  unkeyed: { held: number; prefetched: number; ready: number };
  /** Runs with a concurrency key that could be dequeued now under the limits of their keys. */
  keyed: number;
  /** The part of `ready` without runs that hold named limits. */
  open: number;
  /** Runs that hold named limits, by those (see `limitSetOf`). Absent: there are none. */
  limits?: Record<string, LimitedUse>;
  /** When its rate limiter will have recovered; 0: it has. */
  recoversAt: number;
  /** Number of partitions of the queue, as far as this one knows. */
  partitions: number;
  /**
   * True: it has runs of keys that belong to another partition, because they were triggered before the number
   * of partitions changed.
   */
  misplacedKeys: boolean;
  /** Slots held by concurrency key, where the environment asked for them. */
  keys?: Record<string, number>;
  /** True: some runs wait for a deployment that knows their task. */
  parked: boolean;
  /** The promotion whose declaration it has adopted (see `QueueDeclaration`). */
  promotion: number;
  /** Number of changes through the API that it knows. */
  revision: number;
  /** The changes, reported by partition 0 once there are any. */
  changes?: QueueChanges;
}

/** Runs of a queue that hold the same named limits. */
export interface LimitedUse {
  /** Slots held. */
  held: number;
  /** Runs that could be dequeued if there were no named limits. */
  ready: number;
  queued: number;
  /** Slots held, by concurrency key. */
  keys: Record<string, number>;
}

/** The remaining slots of named limits, by name. A run that holds a limit not named here is not dequeued. */
export type LimitsGrant = Record<string, LimitLeft>;

export interface LimitLeft {
  /** Null: the limit has no total. */
  free: number | null;
  /** Slots left for each concurrency key that `keys` doesn't name; null: keys have no limit. */
  perKey: number | null;
  keys: Record<string, number>;
}

/** A leased run. It passes through three objects, so it is serialized once: `json` is a `DequeuedRun`. */
export interface LeasedRun {
  runId: string;
  token: number;
  json: string;
}

export interface DequeueGrant {
  epoch: number;
  max: number;
  /** Permits for later runs of the same host session, until they are revoked. */
  prefetched: number;
  /** Set for a split queue. */
  shared?: SharedGrant;
  /** Set for a queue with runs that hold named limits. */
  limits?: LimitsGrant;
  hostId: string;
  sessionId: string;
  deployment: DeploymentRef;
}

/** The part of a grant that concerns limits shared by the queue's partitions. */
export interface SharedGrant {
  /** The maximum number of runs without a concurrency key among `max`. */
  unkeyed: number;
  /** The maximum number of runs without a concurrency key among `prefetched`. */
  unkeyedPrefetched: number;
  /** Identify the settings under which the grant was made: a partition that knows later ones leases nothing. */
  revision: number;
  promotion: number;
  /** Set while keys may have runs in several partitions: the slots that they hold in others. The answer reports those held here. */
  elsewhere?: Record<string, number>;
}
