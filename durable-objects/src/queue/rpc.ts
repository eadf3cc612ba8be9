import type {
  AttemptCompleted,
  AttemptStarted,
  CheckpointVerdict,
  CompletedOperation,
  KeptCheckpoint,
  LeaseVerdict,
  MetadataOperation,
  OperationKind,
  RunJournal,
  RunStatus,
  RunSuspension,
  SuspensionVerdict,
} from "@acme/sdk/contract";
import type { LiveInterest } from "../live/rpc.ts";
import type { DeploymentRef, QueueRef } from "../routing/refs.ts";
import type { DequeueGrant, LeasedRun, QueueState } from "./grant.ts";
import type {
  MetricsMinute,
  QueueChange,
  QueueChanges,
  QueueDeclaration,
  QueueStats,
} from "./queue-settings.ts";
import type { Reprojection, RunEvent, RunHold, RunRecord, RunTrace } from "./run-record.ts";
import type {
  DebounceClaim,
  DebouncePush,
  DebounceVerdict,
  RunFinished,
  TriggerItem,
  TriggerResult,
} from "./trigger-item.ts";

export type * from "./grant.ts";
export type * from "./queue-settings.ts";
export type * from "./run-record.ts";
export type * from "./trigger-item.ts";

export type RunError = {
  error: "not_found" | "wrong_state" | "too_large" | "too_many_tags";
  message: string;
};

/** Methods that take an environment key are scoped by it: a run of another environment is `not_found`. */
export interface QueueRpc {
  triggerRuns(ref: QueueRef, declaration: QueueDeclaration, items: TriggerItem[]): Promise<TriggerResult[]>;
  /**
   * Decides which run id an idempotency key stands for: the given one, unless a live claim exists. `expiresAt`: when the
   * claim that holds expires. The creator of the run passes it on, because the run is kept until then.
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
   * From the LiveObject: sets which changes are watched from now on, and returns those of the named runs that
   * exist. After this has returned, each later change of a watched run is sent.
   */
  listen(environmentKey: string, interest: LiveInterest, runIds: string[]): Promise<RunRecord[]>;
  runEvents(environmentKey: string, runId: string): Promise<RunEvent[] | null>;
  /** Returns what is known about the spans of these runs, if they exist. */
  runTraces(environmentKey: string, runIds: string[]): Promise<RunTrace[]>;
  runHold(environmentKey: string, runId: string): Promise<RunHold | null>;
  /** Resolves when the run is final or `timeoutMs` passed (null: not final yet). */
  waitForRun(
    environmentKey: string,
    runId: string,
    timeoutMs: number,
  ): Promise<RunFinished | null | RunError>;
  /**
   * `children` (default true): also cancels the runs and batches that the run waits for. `bulkAction`: the
   * one that cancels it.
   */
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
      /**
       * The lease whose code makes the claim: after its end, nothing may be created for it. Absent: any
       * lease.
       */
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
   * Resolves when the query side has every change that was made before this call. Throws when the query side can't be
   * reached.
   */
  sendChanges(environmentKey: string): Promise<void>;
  /**
   * Begins to send all rows to the query side again, or returns the progress of the rebuild with this id.
   * Null: the queue doesn't exist.
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
