/** Types of the records in which a queue reports a run to others. */
import type { OperationKind, RunStatus, TaskRunError } from "@acme/sdk/contract";

export interface AttemptRecord {
  number: number;
  status: "EXECUTING" | "COMPLETED" | "FAILED" | "CANCELED" | "LOST";
  startedAt: number | null;
  completedAt: number | null;
  hostId: string | null;
  error: TaskRunError | null;
}

export interface OperationTrace {
  attempt: number;
  number: number;
  kind: OperationKind;
  name: string;
  location: string | null;
  target: string | null;
  /** End of a "wait". */
  until: number | null;
  startedAt: number;
  completedAt: number | null;
  failed: boolean;
  error: string | null;
}

/** What a run's owner knows about its spans. */
export interface RunTrace {
  id: string;
  task: string;
  status: RunStatus;
  queue: string;
  machine: string;
  isTest: boolean;
  version: string | null;
  traceparent: string | null;
  parentRunId: string | null;
  rootRunId: string | null;
  createdAt: number;
  queuedAt: number | null;
  startedAt: number | null;
  completedAt: number | null;
  errorMessage: string | null;
  attempts: (Omit<AttemptRecord, "error"> & { error: string | null })[];
  operations: OperationTrace[];
  /** Further entries of the run's timeline: suspensions, resumptions, losses of its host. */
  events: { time: number; type: string; message: string }[];
}

/** One entry of a run's timeline. */
export interface RunEvent {
  time: number;
  type: string;
  message: string;
  data?: Record<string, unknown>;
}

/** The row of a run on the query side. `version` grows with every change, and only a newer row replaces an older one. */
export interface RunRow {
  id: string;
  environmentKey: string;
  task: string;
  queue: string;
  status: RunStatus;
  version: number;
  concurrencyKey: string | null;
  tags: string[];
  isTest: boolean;
  priorityMs: number;
  attempts: number;
  maxAttempts: number | null;
  machine: string;
  deploymentId: string | null;
  deploymentVersion: string | null;
  idempotencyKey: string | null;
  idempotencyKeyExpiresAt: number | null;
  userIdempotencyKey: string | null;
  idempotencyKeyScope: string | null;
  ttlMs: number | null;
  delayUntil: number | null;
  createdAt: number;
  queuedAt: number | null;
  startedAt: number | null;
  completedAt: number | null;
  expiredAt: number | null;
  updatedAt: number;
  usageMs: number;
  maxDuration: number | null;
  depth: number;
  parentRunId: string | null;
  rootRunId: string | null;
  batchId: string | null;
  scheduleId: string | null;
  replayedFrom: string | null;
  /** Bulk actions that made the run as a copy of another, or canceled it. */
  bulkActions: string[];
  /** First line of the error of a failed run. */
  errorMessage: string | null;
  /**
   * The error's type, and the fingerprint that groups it with the same error of other runs of the task. Null
   * for canceled and expired runs too.
   */
  errorName: string | null;
  errorFingerprint: string | null;
}

/** All that is known about one run. */
export interface RunRecord extends RunRow {
  /** See `TriggerItem`. */
  waitDepth: number;
  traceparent: string | null;
  limits: string[];
  payload: string | null;
  payloadType: string;
  output: string | null;
  outputType: string | null;
  metadata: string | null;
  metadataType: string;
  error: TaskRunError | null;
  attemptRecords: AttemptRecord[];
}

/** Slots of a limit, and its rate. Null: there is no limit, or the rate holds nothing back. */
export interface LimitUse {
  running: number;
  limit: number | null;
  /** Milliseconds since the epoch. */
  nextStartAt: number | null;
}

/** An operation that a suspended run waits for. */
export interface PendingOperation {
  kind: OperationKind;
  name: string;
  target: string | null;
  /** Milliseconds since the epoch. */
  until: number | null;
}

/** What a run's queue knows about why the run does not execute. Times are in milliseconds since the epoch. */
export interface RunHold {
  status: RunStatus;
  task: string;
  queue: string;
  concurrencyKey: string | null;
  /** The number of attempts that were started and have ended. */
  attempt: number;
  updatedAt: number;
  /** When a delay, a backoff or a lease ends. */
  dueAt: number | null;
  hostId: string | null;
  lockedVersion: string | null;
  /** Runs of its concurrency key that are dequeued before it: at most 1000 are counted. */
  ahead: number;
  paused: boolean;
  /** Slots of its concurrency key, and of the whole queue; in a split queue, of this partition. */
  key: LimitUse;
  all: LimitUse;
  /** Names of the limits that it holds in addition to those of its queue. */
  limits: string[];
  /** Only for a suspended run; at most 20. */
  operations: PendingOperation[];
}

/** The query side as the objects use it: only a row with a higher version replaces another. */
export interface RunProjection {
  upsertRuns(rows: RunRow[]): Promise<void>;
}

/** A queue's progress with a rebuild of the query side. */
export interface Reprojection {
  id: string;
  /** Rows that were sent. */
  rows: number;
  done: boolean;
}
