/** Types of a queue's settings, of their sources, and of its counts. */
import type { QueueLimits } from "@acme/sdk/contract";

/** What a deployment declares about a queue, and its environment about all of its queues. */
export interface QueueDeclaration extends QueueLimits {
  /** The maximum number of runs that have not started. Absent or null: the platform's limit. */
  sizeLimit?: number | null;
  /** Number of the promotion that declares it; absent: nothing was deployed yet. An earlier declaration changes nothing. */
  promotion?: number;
}

export type QueueLimitName = keyof QueueLimits;

/** Limits that were set through the API, and when. They override deployments until they are reset. */
export type QueueOverrides = {
  [Name in QueueLimitName]?: { value: NonNullable<QueueLimits[Name]> | null; at: number };
};

/** Effective settings. Null: there is no limit. */
export type QueueSettings = { [Name in QueueLimitName]-?: NonNullable<QueueLimits[Name]> | null } & {
  sizeLimit: number;
  /** True: no run is started. */
  paused: boolean;
};

/** Changes of a queue through the API. Its first partition keeps them; the environment passes them on to the others. */
export interface QueueChanges {
  /** Number of changes so far. */
  revision: number;
  overrides: QueueOverrides;
  paused: boolean;
}

export type QueueChange =
  | { type: "pause"; paused: boolean }
  | { type: "override"; limits: QueueLimits }
  | { type: "reset"; limits: QueueLimitName[] };

/** What happened in a queue in one minute. */
export interface MetricsMinute {
  /** Minutes since the epoch. */
  minute: number;
  /** Runs that waited, and that held a slot: the most, and at the end of the minute. */
  queuedMost: number;
  queuedLast: number;
  runningMost: number;
  runningLast: number;
  /** Runs that were dequeued for the first time, and runs that ended. */
  started: number;
  ended: number;
  /** How long the runs that were dequeued for the first time had waited: counts by class (see `DELAY_CLASSES_MS`). */
  delays: number[];
}

export interface QueueStats {
  queue: string;
  pending: number;
  running: number;
  /** Runs that are delayed or wait for a deployment. */
  notYetQueued: number;
  settings: QueueSettings;
  declared: QueueDeclaration;
  overrides: QueueOverrides;
}
