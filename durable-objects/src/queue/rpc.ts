import type {
  AttemptCompleted,
  AttemptStarted,
  CheckpointVerdict,
  CompletedOperation,
  KeptCheckpoint,
  LeaseVerdict,
  MachinePreset,
  MetadataOperation,
  OperationKind,
  OperationResult,
  QueueLimits,
  RetryOptions,
  RunJournal,
  RunStatus,
  RunSuspension,
  SuspensionVerdict,
  TaskRunError,
} from "@acme/sdk/contract";
import type { LiveInterest } from "../live/rpc.ts";
import type { DeploymentRef, QueueRef } from "../routing/refs.ts";

/** One run to create. Times in milliseconds. The caller makes the id, so that sending it again creates nothing new. */
export interface TriggerItem {
  runId: string;
  task: string;
  payload?: string;
  payloadType: string;
  metadata?: string;
  tags: string[];
  concurrencyKey?: string;
  /** Names of the concurrency limits that it holds beside those of its queue. Absent: none, or those of its unknown task. */
  limits?: string[];
  /** Head start over other runs of its key. */
  priorityMs: number;
  /** Point in time before which it is DELAYED. */
  delayUntil?: number;
  ttlMs?: number;
  maxAttempts?: number;
  retry?: RetryOptions;
  /** Seconds. */
  maxDuration?: number;
  machine: MachinePreset;
  /** An idempotency key: already claimed at its home for this run id (see `claimIdempotencyKey`), or to be claimed here (`claim`). */
  idempotency?: { key: string; expiresAt: number; claim: boolean; userKey?: string; scope?: string };
  /** Debounced: the trigger becomes part of an earlier run of the key that is still DELAYED. `claim` as of `idempotency`. */
  debounce?: {
    key: string;
    /** When a run that this trigger becomes part of starts, at the earliest. */
    until: number;
    maxDelayMs?: number;
    trailing: boolean;
    claim: boolean;
  };
  /** The request that triggers the run. A request that is sent again gives the same run. */
  request?: { key: string; expiresAt: number };
  isTest: boolean;
  /** False: no deployment contains the task, so the run is PENDING_VERSION. */
  known: boolean;
  /** Only this deployment may run it (the `version` / `lockToVersion` option, resolved by the Worker). */
  lockedDeployment?: DeploymentRef;
  parentRunId?: string;
  rootRunId?: string;
  depth: number;
  /** Number of runs above it that wait: the parent for this run, the parent's parent for the parent, and so on. Default 0. */
  waitDepth?: number;
  batchId?: string;
  /** Where the span of whoever triggers it is; absent: it begins a trace. */
  traceparent?: string;
  replayedFrom?: string;
  /** The bulk action that makes the run, as a copy of another. */
  bulkAction?: string;
  /** It is the run of a tick of this schedule. */
  scheduleId?: string;
  /** Is notified of the outcome once, also when the run existed already; at once when it has ended. */
  waiter?: Waiter;
  /** Milliseconds for which the caller waits for the run's end. */
  waitMs?: number;
}

/** An operation of a run that waits for another run, or a batch that does. */
export type Waiter =
  | { type: "operation"; runId: string; attempt: number; number: number }
  | { type: "batch"; batchId: string; index: number };

/** What waiters of a run receive at its end. `result` is that of an operation of kind "run". */
export interface RunFinished {
  runId: string;
  task: string;
  status: RunStatus;
  usageMs: number;
  result: OperationResult;
}

/** A request for the run that a debounce key stands for. */
export interface DebounceClaim {
  task: string;
  key: string;
  /** The run of this trigger, if no earlier one waits. */
  runId: string;
  /** When the run starts now. */
  until: number;
  /** An earlier run that no longer waits, as its queue says: it no longer stands for the key. */
  replaces?: string;
  /** The idempotency key of the same trigger, claimed for `runId`. */
  idempotencyKey?: string;
}

/** A trigger that becomes part of a run. */
export interface DebouncePush {
  /** The same as in the claim: the key's home knows no earlier time than the run's own queue. */
  until: number;
  /** Longest the run waits, counted from its creation. */
  maxDelayMs?: number;
  /** The run takes this over: trailing. */
  latest?: Pick<
    TriggerItem,
    "payload" | "payloadType" | "metadata" | "tags" | "maxAttempts" | "maxDuration" | "machine"
  >;
  waiter?: Waiter;
  /** When the trigger's idempotency key expires, which stands for the run from now on. */
  keptUntil?: number;
}

/** `missing`: the run was claimed and not created yet; the caller creates it with this id. */
export type DebounceVerdict = "pushed" | "over" | "missing";

export interface TriggerResult {
  /**
   * The run that stands for the item. With an idempotency key that was claimed before, it can lie in another queue
   * (`parseRunId(runId).queueKey`): the caller then sends the item with this id there too, because the claim may have
   * been made by someone who died before creating the run; creating by id is idempotent.
   */
  runId: string;
  /** True: an earlier run answers for this idempotency key, or this run id existed already. */
  cached: boolean;
  /** A debounce key stands for the run, which another queue has: that queue is to be asked whether the run still waits. */
  mayBeOver?: true;
  /** The queue is at its size limit: nothing was created. */
  error?: "queue_full";
  /** The size limit of the queue; of a split queue, the share of one partition. */
  sizeLimit?: number;
  /** The outcome of the run, if the item waits for it and it was created here; null: it has not ended within `waitMs`. */
  finished?: RunFinished | null;
}

/** What a deployment declares about a queue, and its environment about all of its queues. */
export interface QueueDeclaration extends QueueLimits {
  /** Most runs that have not started; absent or null: the platform's limit. */
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
  /** No run is started. */
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

/** What a run's owner knows of its spans. */
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
  /** What the run's timeline has beside those: suspensions, resumptions, losses of its host. */
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
  /** Its type, and what groups it with the same error of other runs of its task. Null also of what was canceled or expired. */
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

export type RunError = {
  error: "not_found" | "wrong_state" | "too_large" | "too_many_tags";
  message: string;
};

/** Slots of a limit, and its rate. Null: there is no limit; the rate holds nothing back. */
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

/** What a run's queue knows of why the run does not execute. Times in milliseconds since the epoch. */
export interface RunHold {
  status: RunStatus;
  task: string;
  queue: string;
  concurrencyKey: string | null;
  /** Attempts that were started and are over. */
  attempt: number;
  updatedAt: number;
  /** When a delay, a backoff or a lease ends. */
  dueAt: number | null;
  hostId: string | null;
  lockedVersion: string | null;
  /** Runs of its concurrency key that are dequeued before it: at most 1000 are counted. */
  ahead: number;
  paused: boolean;
  /** Of its concurrency key, and of the whole queue; of a split queue: of this partition. */
  key: LimitUse;
  all: LimitUse;
  /** Names of the limits that it holds beside those of its queue. */
  limits: string[];
  /** Only of a run that is suspended; at most 20. */
  operations: PendingOperation[];
}

/** Methods that take an environment key are scoped by it: a run of another environment is `not_found`. */
export interface QueueRpc {
  triggerRuns(ref: QueueRef, declaration: QueueDeclaration, items: TriggerItem[]): Promise<TriggerResult[]>;
  /**
   * Decides which run id an idempotency key stands for: the given one, unless a live claim exists. `expiresAt`: when the
   * claim that holds expires. Whoever creates the run passes it on, because the run is kept until then.
   */
  claimIdempotencyKey(
    ref: QueueRef,
    claim: { task: string; key: string; runId: string; expiresAt: number },
  ): Promise<{ runId: string; claimed: boolean; expiresAt: number }>;
  /** The run id that a debounce key stands for. */
  claimDebounceKey(ref: QueueRef, claim: DebounceClaim): Promise<string>;
  /** Makes a debounced trigger part of an earlier run of this queue. */
  pushDebounced(environmentKey: string, runId: string, push: DebouncePush): Promise<DebounceVerdict>;
  resetIdempotencyKey(environmentKey: string, task: string, key: string): Promise<{ reset: boolean }>;
  retrieveRun(environmentKey: string, runId: string): Promise<RunRecord | null>;
  /**
   * From the LiveObject: which changes are watched from now on. Gives the runs named, those that exist. When this returns,
   * each later change of what is watched is sent.
   */
  listen(environmentKey: string, interest: LiveInterest, runIds: string[]): Promise<RunRecord[]>;
  runEvents(environmentKey: string, runId: string): Promise<RunEvent[] | null>;
  /** What is known of the spans of these runs: of those that exist. */
  runTraces(environmentKey: string, runIds: string[]): Promise<RunTrace[]>;
  runHold(environmentKey: string, runId: string): Promise<RunHold | null>;
  /** Resolves when the run is final or `timeoutMs` passed (null: not final yet). */
  waitForRun(
    environmentKey: string,
    runId: string,
    timeoutMs: number,
  ): Promise<RunFinished | null | RunError>;
  /** `children` (default true): also the runs and batches that the run waits for. `bulkAction`: the one that cancels it. */
  cancelRun(
    environmentKey: string,
    runId: string,
    reason: string,
    options?: { children?: boolean; bulkAction?: string },
  ): Promise<{ status: RunStatus; alreadyFinal: boolean } | RunError>;
  rescheduleRun(environmentKey: string, runId: string, delayUntil: number): Promise<RunRecord | RunError>;
  addTags(environmentKey: string, runId: string, tags: string[]): Promise<{ tags: string[] } | RunError>;
  updateMetadata(
    environmentKey: string,
    runId: string,
    operations: MetadataOperation[],
  ): Promise<{ metadata: Record<string, unknown> } | RunError>;
  /** Reports of a host about runs of this queue, in one transaction. */
  applyReports(report: QueueReport): Promise<QueueReportResult>;
  /**
   * Records what an operation of an attempt is about to create elsewhere (a child run, a batch), or returns what was recorded
   * before, so that a repeated call creates nothing twice. Idempotent. `stale`: the attempt has ended, and nothing may be
   * created for it.
   */
  claimOperation(
    environmentKey: string,
    claim: {
      runId: string;
      attempt: number;
      /** The lease whose code makes the claim: once that is over, nothing may be created for it. Absent: any lease. */
      lease?: number;
      number: number;
      kind: OperationKind;
      name: string;
      target: string;
    },
  ): Promise<{ target: string; claimed: boolean } | RunError | { error: "stale"; message: string }>;
  /**
   * Sets the result of an operation that a run waits for. Idempotent: the first result is kept. `gone`: nobody waits for it
   * (the run has ended, or a later attempt executes), and the sender may forget it.
   */
  completeOperation(
    environmentKey: string,
    completed: CompletedOperation & { attempt: number },
  ): Promise<"ok" | "gone">;
  /**
   * Applies a change by the API, at partition 0. Creates the queue if nothing was triggered in it yet. When this returns, the
   * change is in effect in all partitions.
   */
  changeSettings(ref: QueueRef, declaration: QueueDeclaration, change: QueueChange): Promise<QueueStats>;
  queueStats(environmentKey: string): Promise<QueueStats | null>;
  /** Minutes from `from` to before `to` in which something happened, and the last one before them; a day is kept. */
  queueMetrics(environmentKey: string, from: number, to: number): Promise<MetricsMinute[]>;
  /**
   * Begins to send all rows to the query side again, or tells how far the rebuild of this id is. Null: the queue doesn't
   * exist.
   */
  reproject(environmentKey: string, id: string): Promise<Reprojection | null>;

  /**
   * From the EnvironmentObject only. `started`: how many of the runs count against rate limits. `refused`: the grant was made with
   * older settings than the queue knows.
   */
  dequeueRuns(
    grant: DequeueGrant,
  ): Promise<QueueState & { runs: LeasedRun[]; started: number; refused?: boolean }>;
  /**
   * From the EnvironmentObject only: revokes prefetched permits. `reportKeys`: from now on the queue reports which keys hold
   * slots. Null: the queue doesn't exist.
   */
  revokePrefetched(reportKeys: boolean): Promise<QueueState | null>;
  /** From the EnvironmentObject only: returns the state. Grants of older epochs are refused from then on, and their permits void. */
  syncState(epoch: number): Promise<QueueState | null>;
  /**
   * From the EnvironmentObject only: a deployment was promoted, or what another partition keeps was changed. PENDING_VERSION
   * runs of its tasks are queued, and its declaration and the changes take effect. `limits`: the named limits of those of its
   * tasks that have any. Null: the queue doesn't exist.
   */
  deploymentPromoted(
    deployment: DeploymentRef,
    tasks: string[],
    declaration: QueueDeclaration,
    changes: QueueChanges | undefined,
    limits: Record<string, string[]>,
  ): Promise<QueueState | null>;
  /** From the DispatcherObject only: queues everything that is leased to this host session again. */
  hostSessionLost(sessionId: string): Promise<void>;
  /** From the DispatcherObject: takes back runs that were leased and could not be delivered. */
  returnRuns(leases: { runId: string; token: number }[]): Promise<void>;
}

export interface QueueReport {
  hostId: string;
  sessionId: string;
  started: AttemptStarted[];
  completed: AttemptCompleted[];
  heartbeats: { runId: string; token: number }[];
  journals: RunJournal[];
  suspensions: RunSuspension[];
  checkpoints: KeptCheckpoint[];
}

export interface QueueReportResult {
  started: LeaseVerdict[];
  completed: LeaseVerdict[];
  heartbeats: LeaseVerdict[];
  journals: LeaseVerdict[];
  suspensions: SuspensionVerdict[];
  checkpoints: CheckpointVerdict[];
}

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
  /** Of those that were dequeued for the first time: how many waited for how long, by class (see `DELAY_CLASSES_MS`). */
  delays: number[];
}

export interface QueueStats {
  queue: string;
  pending: number;
  running: number;
  /** Runs that wait for their time or for a deployment. */
  notYetQueued: number;
  settings: QueueSettings;
  declared: QueueDeclaration;
  overrides: QueueOverrides;
}

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
  /** It has runs of keys that belong to another partition: they were triggered before the number of partitions changed. */
  misplacedKeys: boolean;
  /** Slots held by concurrency key, where the environment asked for them. */
  keys?: Record<string, number>;
  /** Some runs wait for a deployment that knows their task. */
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

/** What is left of named limits, by name: a run that holds a limit which is not named here is not dequeued. */
export type LimitsGrant = Record<string, LimitLeft>;

export interface LimitLeft {
  /** Null: the limit has no total. */
  free: number | null;
  /** Of each concurrency key that `keys` doesn't name; null: keys have no limit. */
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
  /** Most runs without a concurrency key among those of `max`. */
  unkeyed: number;
  /** Most runs without a concurrency key among those of `prefetched`. */
  unkeyedPrefetched: number;
  /** Identify the settings under which the grant was made: a partition that knows later ones leases nothing. */
  revision: number;
  promotion: number;
  /** Set while keys may have runs in several partitions: the slots that they hold in others. The answer reports those held here. */
  elsewhere?: Record<string, number>;
}

/** How far a queue is with a rebuild of the query side. */
export interface Reprojection {
  id: string;
  /** Rows that were sent. */
  rows: number;
  done: boolean;
}

/** The query side as the objects use it: only a row with a higher version replaces another. */
export interface RunProjection {
  upsertRuns(rows: RunRow[]): Promise<void>;
}
