/**
 * What the Worker and the objects say to each other: plain data and interfaces, no classes. Errors that a caller can act
 * on are returned as values (`{ error }`), never thrown: a thrown error over RPC means the object itself failed, and
 * every call here may then be sent again (each is idempotent).
 */
import type {
  AttemptCompleted,
  AttemptStarted,
  CheckpointVerdict,
  CompletedOperation,
  DequeueRequest,
  HostNotice,
  KeptCheckpoint,
  LeaseVerdict,
  LogEntry,
  MachinePreset,
  OperationKind,
  OperationResult,
  QueueLimits,
  RetryOptions,
  RunJournal,
  RunStatus,
  RunSuspension,
  SuspensionVerdict,
  TaskRunError,
  WorkerManifest,
} from "@acme/sdk/contract";

/** Who an environment is: travels with calls so that objects need no lookup. */
export interface EnvironmentRef {
  /** 8 base-36 characters; the name of the environment's object. */
  key: string;
  id: string;
  slug: string;
  type: "DEVELOPMENT" | "STAGING" | "PREVIEW" | "PRODUCTION";
  project: { id: string; ref: string; name: string };
  organization: { id: string; slug: string; name: string };
}

export interface QueueRef {
  environment: EnvironmentRef;
  /** Queue name as users know it. */
  queue: string;
  /** From 0: a queue is one object unless it is split. Partition 0 keeps what was changed through the API. */
  partition: number;
  queueKey: string;
}

/** One run to create. Times in milliseconds. The caller makes the id, so that sending it again creates nothing new. */
export interface TriggerItem {
  runId: string;
  task: string;
  payload?: string;
  payloadType: string;
  metadata?: string;
  tags: string[];
  concurrencyKey?: string;
  /** Head start over others of its key. */
  priorityMs: number;
  /** Point in time before which it is DELAYED. */
  delayUntil?: number;
  ttlMs?: number;
  maxAttempts?: number;
  retry?: RetryOptions;
  /** Seconds. */
  maxDuration?: number;
  machine: MachinePreset;
  /** Already claimed for this run id at its home (see `claimIdempotencyKey`), or to be claimed here when `claim`. */
  idempotency?: { key: string; expiresAt: number; claim: boolean; userKey?: string; scope?: string };
  /** Part of an earlier run that still waits, if there is one; to be claimed at its home when `claim`, as `idempotency`. */
  debounce?: {
    key: string;
    /** When a run that this trigger becomes part of starts, at the earliest. */
    until: number;
    maxDelayMs?: number;
    trailing: boolean;
    claim: boolean;
  };
  /** The call that asks for it. Sent again, because its answer was lost, it gives the same run. */
  request?: { key: string; expiresAt: number };
  isTest: boolean;
  /** False: no deployed worker knows the task: PENDING_VERSION. */
  known: boolean;
  /** Only this deployment may run it (the `version` / `lockToVersion` option, resolved by the Worker). */
  lockedDeployment?: DeploymentRef;
  parentRunId?: string;
  rootRunId?: string;
  depth: number;
  batchId?: string;
  replayedFrom?: string;
  /** It is the run of a tick of this schedule. */
  scheduleId?: string;
  /** Who is told the outcome, once: also when the run existed already, and at once when it is over. */
  waiter?: Waiter;
  /** Milliseconds for which the caller waits for the run's end. */
  waitMs?: number;
}

/** An operation of a run that waits for another run, or a batch that does. */
export type Waiter =
  | { type: "operation"; runId: string; attempt: number; number: number }
  | { type: "batch"; batchId: string; index: number };

/** What a finished run tells its waiters. `result` is that of an operation of kind "run". */
export interface RunFinished {
  runId: string;
  task: string;
  status: RunStatus;
  usageMs: number;
  result: OperationResult;
}

/** Which run a debounce key stands for. */
export interface DebounceClaim {
  task: string;
  key: string;
  /** The run of this trigger, if no earlier one waits. */
  runId: string;
  /** When the run starts now. */
  until: number;
  /** An earlier run whose queue says that it is over: it no longer stands for the key. */
  replaces?: string;
  /** Of the same trigger, claimed for `runId`. */
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
}

/** `missing`: it was claimed and not created yet; whoever is told creates it with this id. */
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
  /** The queue is at its size limit: nothing was created. */
  error?: "queue_full";
  /** Of one partition: its share. */
  sizeLimit?: number;
  /** What came of the run, where the item waits for it and it was created here; null: it was not over by then. */
  finished?: RunFinished | null;
}

/** What a deployment declares about a queue, and its environment about all of its queues. */
export interface QueueDeclaration extends QueueLimits {
  /** Most runs that have not started; absent or null: the platform's limit. */
  sizeLimit?: number | null;
  /** Number of the promotion that it comes from; absent: nothing was deployed yet. An earlier one changes nothing. */
  promotion?: number;
}

export type QueueLimitName = keyof QueueLimits;

/** What was changed through the API, and when: it holds whatever is deployed, until it is reset. */
export type QueueOverrides = {
  [Name in QueueLimitName]?: { value: NonNullable<QueueLimits[Name]> | null; at: number };
};

/** What stands: null is no limit. */
export type QueueSettings = { [Name in QueueLimitName]-?: NonNullable<QueueLimits[Name]> | null } & {
  sizeLimit: number;
  /** No run is started. */
  paused: boolean;
};

/** What was changed through the API of a queue: its first partition keeps it, the others are told. */
export interface QueueChanges {
  /** Counts the changes: of two the one with the higher is later. */
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

/** One entry of a run's timeline. */
export interface RunEvent {
  time: number;
  type: string;
  message: string;
  data?: Record<string, unknown>;
}

/** The row about a run that the query side keeps. `version` grows with every change: a row is only ever replaced by a newer one. */
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
  /** First line of the error of a failed run. */
  errorMessage: string | null;
}

/** All that is known about one run. */
export interface RunRecord extends RunRow {
  payload: string | null;
  payloadType: string;
  output: string | null;
  outputType: string | null;
  metadata: string | null;
  metadataType: string;
  error: TaskRunError | null;
  attemptRecords: AttemptRecord[];
}

export type MetadataOperation =
  | { type: "set"; key: string; value: unknown }
  | { type: "delete"; key: string }
  | { type: "append"; key: string; value: unknown }
  | { type: "remove"; key: string; value: unknown }
  | { type: "increment"; key: string; value: number }
  | { type: "update"; value: Record<string, unknown> };

export type RunError = {
  error: "not_found" | "wrong_state" | "too_large" | "too_many_tags";
  message: string;
};

/** Every method but `triggerRuns` and those the environment calls is scoped by environment key: another's run is `not_found`. */
export interface QueueRpc {
  triggerRuns(ref: QueueRef, declaration: QueueDeclaration, items: TriggerItem[]): Promise<TriggerResult[]>;
  /** Decides which run id an idempotency key stands for: the given one, unless a live claim exists. */
  claimIdempotencyKey(
    ref: QueueRef,
    claim: { task: string; key: string; runId: string; expiresAt: number },
  ): Promise<{ runId: string; claimed: boolean }>;
  /** The run id that a debounce key stands for. */
  claimDebounceKey(ref: QueueRef, claim: DebounceClaim): Promise<string>;
  /** A debounced trigger asks an earlier run's queue to take it in. */
  pushDebounced(environmentKey: string, runId: string, push: DebouncePush): Promise<DebounceVerdict>;
  resetIdempotencyKey(environmentKey: string, task: string, key: string): Promise<{ reset: boolean }>;
  retrieveRun(environmentKey: string, runId: string): Promise<RunRecord | null>;
  runEvents(environmentKey: string, runId: string): Promise<RunEvent[] | null>;
  /** Resolves when the run is final or `timeoutMs` passed (null: not final yet). */
  waitForRun(
    environmentKey: string,
    runId: string,
    timeoutMs: number,
  ): Promise<RunFinished | null | RunError>;
  /** `children` (default true): also the runs and batches that the run waits for. */
  cancelRun(
    environmentKey: string,
    runId: string,
    reason: string,
    children?: boolean,
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
   * An operation of an attempt is about to create something elsewhere (a child run, a batch): records its target, or gives
   * the one recorded before, so that a repeated call creates nothing twice. Idempotent.
   * `stale`: the attempt is over; nothing may be created for it.
   */
  claimOperation(
    environmentKey: string,
    claim: {
      runId: string;
      attempt: number;
      number: number;
      kind: OperationKind;
      name: string;
      target: string;
    },
  ): Promise<{ target: string; claimed: boolean } | RunError | { error: "stale"; message: string }>;
  /**
   * An operation that a run waits for is over. Idempotent: the first result stands. `gone`: nobody waits for it (the run
   * is over, or a later attempt runs); the sender forgets it.
   */
  completeOperation(
    environmentKey: string,
    completed: CompletedOperation & { attempt: number },
  ): Promise<"ok" | "gone">;
  /**
   * By the API, of partition 0; creates the queue where there was nothing triggered yet. When this returns, the change holds
   * in all partitions.
   */
  changeSettings(ref: QueueRef, declaration: QueueDeclaration, change: QueueChange): Promise<QueueStats>;
  queueStats(environmentKey: string): Promise<QueueStats | null>;

  /** From the EnvironmentObject only. `started`: how many of the runs count against rate limits. */
  dequeueRuns(grant: DequeueGrant): Promise<QueueState & { runs: LeasedRun[]; started: number }>;
  /**
   * From the EnvironmentObject only: takes standing permits back. `tellKeys`: from now on the queue tells which keys hold slots.
   * Null: the queue doesn't exist.
   */
  revokeStanding(tellKeys: boolean): Promise<QueueState | null>;
  /** From the EnvironmentObject only: after it grants with older epochs are refused, and permits of theirs void. */
  syncState(epoch: number): Promise<QueueState | null>;
  /**
   * From the EnvironmentObject only: a deployment was promoted, or what another partition keeps was changed. PENDING_VERSION
   * runs that the deployment knows are queued, and what it declares about the queue holds, as do the changes. Null: the queue
   * doesn't exist.
   */
  deploymentPromoted(
    deployment: DeploymentRef,
    tasks: string[],
    declaration: QueueDeclaration,
    changes: QueueChanges | undefined,
  ): Promise<QueueState | null>;
  /** From the DispatcherObject only: everything leased to this host session is queued again. */
  hostSessionLost(sessionId: string): Promise<void>;
  /** From the DispatcherObject: these runs were granted but could not be delivered. */
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

export interface QueueStats {
  queue: string;
  pending: number;
  running: number;
  /** Runs that wait for their time or for a deployment. */
  later: number;
  settings: QueueSettings;
  declared: QueueDeclaration;
  overrides: QueueOverrides;
}

/** A queue's state as its environment needs it. Absolute, with a sequence number: an older one changes nothing. */
export interface QueueState {
  queueKey: string;
  /** Queue name as users know it. */
  queue: string;
  partition: number;
  seq: number;
  /** Runs that hold a slot. */
  held: number;
  /** Permits given in advance that are left (see `Standing`): each may become a slot at any moment. */
  standing: number;
  /** Runs that could be dequeued now under the queue's own limits, those for which permits are left not counted. */
  ready: number;
  /** Of those above, runs without a concurrency key: what they share with other partitions. */
  keyless: { held: number; standing: number; ready: number };
  /** Runs with a concurrency key that could be dequeued now, but for limits over all keys. */
  keyed: number;
  /** When its rate limiter will have recovered; 0: it has. */
  recoversAt: number;
  /** Partitions that its queue has, as far as it knows. */
  partitions: number;
  /** It has runs with keys whose place is another partition: they came before there were so many, or so few. */
  strays: boolean;
  /** Slots held by concurrency key, where the environment asked for them. */
  keys?: Record<string, number>;
  /** Some runs wait for a deployment that knows their task. */
  parked: boolean;
  /** Of which promotion it knows what was declared (see `QueueDeclaration`). */
  promotion: number;
  /** Of how many changes through the API it knows. */
  revision: number;
  /** Of partition 0, once there were any. */
  changes?: QueueChanges;
}

/** A run handed out. It passes through three objects, so it is serialized once: `json` is a `DequeuedRun`. */
export interface LeasedRun {
  runId: string;
  token: number;
  json: string;
}

/** What a poll brings: the Worker joins the `DequeuedRun` JSON texts into the body of a `DequeueResponse`. */
export interface PollResult {
  runs: string[];
  notices: HostNotice[];
  now: number;
  /** The host's session was ended (it was silent too long, or the host started anew): it must begin a new one. */
  ended?: boolean;
}

/** An environment's state as its dispatcher needs it. */
export interface EnvironmentState {
  environmentKey: string;
  seq: number;
  /** Runs that could be dequeued now under all limits below the dispatcher. */
  ready: number;
  /** Its share among those with something ready. */
  weight: number;
}

export interface DeploymentRef {
  id: string;
  version: string;
  contentHash: string;
}

export interface DequeueGrant {
  epoch: number;
  max: number;
  /** Permits for later runs of the same host session, until they are revoked. */
  standing: number;
  /** Of a queue that is split. */
  shared?: SharedGrant;
  hostId: string;
  sessionId: string;
  deployment: DeploymentRef;
}

/** What partitions of a queue share. */
export interface SharedGrant {
  /** Most runs without a concurrency key among those of `max`. */
  keyless: number;
  /** The same of `standing`. */
  keylessStanding: number;
  /** The settings that it was counted by: a partition that knows later ones takes nothing. */
  revision: number;
  promotion: number;
  /** While keys may have runs in several partitions: slots that they hold in others. The answer tells those held here. */
  elsewhere?: Record<string, number>;
}

/** A deployment to be made the current one. */
export interface PromotedDeployment {
  deployment: DeploymentRef;
  manifest: WorkerManifest;
}

/** The current deployment with what the Worker needs to trigger: cached in the isolate for seconds. */
export interface CurrentDeployment extends PromotedDeployment {
  /** Counts the promotions of the environment. */
  promotion: number;
  /** Most runs that a queue holds that have not started; null: the platform's limit. */
  queueSizeLimit: number | null;
  /** Partitions of the queues for which they were set through the API, by name. */
  partitions: Record<string, number>;
}

/** What is set for one environment. */
export interface EnvironmentSettings {
  /** Runs executing at once: no queue ever uses more than this. */
  concurrencyLimit: number;
  /** All queues together may use this many times the limit, rounded down. At least 1. */
  burstFactor: number;
  /** Share among all environments when hosts are short. */
  weight: number;
  /** See `CurrentDeployment`. */
  queueSizeLimit: number | null;
  /** No run is started. */
  paused: boolean;
}

/** A queue, and those of its partitions that have or may get runs: the first one always. */
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

export interface EnvironmentRpc {
  /**
   * Called by a queue after every change of its state. One with parked runs, or that knows an earlier promotion, is told
   * the current deployment before this returns: its trigger may have been on its way when that was promoted.
   */
  reportQueue(state: QueueState): Promise<void>;
  currentDeployment(): Promise<CurrentDeployment | null>;
  promoteDeployment(environment: EnvironmentRef, promoted: PromotedDeployment): Promise<void>;
  environmentStats(): Promise<EnvironmentStats>;
  updateEnvironment(
    environment: EnvironmentRef,
    settings: Partial<EnvironmentSettings>,
  ): Promise<EnvironmentSettings>;
  /** Names of queues that ever had a run or that the current deployment declares, in alphabetical order. */
  listQueues(offset: number, limit: number): Promise<{ queues: KnownQueue[]; count: number }>;
  /** The queue of which one partition has this key; null: there is none. */
  findQueue(queueKey: string): Promise<KnownQueue | null>;
  /** From the DispatcherObject only. */
  dequeueForHost(grant: {
    hostId: string;
    sessionId: string;
    max: number;
  }): Promise<EnvironmentState & { runs: LeasedRun[] }>;
  syncState(): Promise<EnvironmentState | null>;
}

export interface HostInfo {
  hostId: string;
  sessionId: string;
  lastSeenAt: number;
  polls: number;
}

export interface DispatcherRpc {
  reportEnvironment(state: EnvironmentState): Promise<void>;
  poll(request: DequeueRequest): Promise<PollResult>;
  /** A host reported: it is alive. `goodbye` ends its session at once. */
  hostSeen(hostId: string, sessionId: string, goodbye: boolean): Promise<void>;
  /**
   * From a QueueObject with standing permits: runs it leased to this session. `delivered` false: the session is over, the
   * queue takes them back. `more` false: the host has no room left, or others wait for it.
   */
  deliver(sessionId: string, runs: LeasedRun[]): Promise<{ delivered: boolean; more: boolean }>;
  notifyHost(sessionId: string, notices: HostNotice[]): Promise<void>;
  hosts(): Promise<HostInfo[]>;
}

export interface FeedRpc {
  appendLogs(attempt: number, entries: LogEntry[]): Promise<void>;
  listLogs(options: { limit: number }): Promise<{ attempt: number; entry: LogEntry }[]>;
}

/** The query side as the objects see it: rows are only ever replaced by rows with a higher version. */
export interface RunProjection {
  upsertRuns(rows: RunRow[]): Promise<void>;
}

/** A token that somebody outside completes. */
export interface WaitpointRecord {
  id: string;
  environmentKey: string;
  status: "PENDING" | "COMPLETED" | "TIMED_OUT";
  tags: string[];
  idempotencyKey: string | null;
  idempotencyKeyExpiresAt: number | null;
  /** Milliseconds since the epoch, as all times here. */
  createdAt: number;
  timeoutAt: number | null;
  completedAt: number | null;
  output: string | null;
  outputType: string | null;
  outputIsError: boolean;
}

/** One object a token, named by the token's id. */
export interface WaitpointRpc {
  /** Idempotent by id: an existing one is returned as it is. */
  createToken(token: {
    id: string;
    environmentKey: string;
    timeoutAt: number | null;
    idempotencyKey: string | null;
    idempotencyKeyExpiresAt: number | null;
    tags: string[];
  }): Promise<WaitpointRecord>;
  /** The first completion stands; a later one gets the record as it is. Null: there is no such token in this environment. */
  completeToken(
    environmentKey: string,
    output: { data: string | null; dataType: string; isError: boolean },
  ): Promise<WaitpointRecord | null>;
  retrieveToken(environmentKey: string): Promise<WaitpointRecord | null>;
  /**
   * From a QueueObject: tells `waiter` the result through `completeOperation` as soon as there is one (at least once).
   * Idempotent. Null: subscribed; a result: it is over already; an error where there is no such token.
   */
  waitForToken(
    environmentKey: string,
    waiter: { runId: string; attempt: number; number: number },
  ): Promise<OperationResult | null>;
}

/** One object a batch, named by the batch's id. What creates and fills it is the Worker's own business with it. */
export interface BatchRpc {
  /** Nobody waits for the batch any more: its runs are canceled, now or as soon as they are created. Idempotent. */
  cancelBatch(environmentKey: string, reason: string): Promise<void>;
  /** From a QueueObject: the run of item `index` is over. At least once; idempotent. */
  runFinished(environmentKey: string, index: number, finished: RunFinished): Promise<void>;
}

/** Bindings the objects use. The Worker's own bindings extend these. */
export interface ObjectBindings {
  QUEUE: DurableObjectNamespace;
  ENVIRONMENT: DurableObjectNamespace;
  DISPATCHER: DurableObjectNamespace;
  FEED: DurableObjectNamespace;
  WAITPOINT: DurableObjectNamespace;
  BATCH: DurableObjectNamespace;
}
