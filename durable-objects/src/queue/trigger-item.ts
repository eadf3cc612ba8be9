/** Types of a trigger's request to a queue, and of the answer. */
import type { MachinePreset, OperationResult, RetryOptions, RunStatus } from "@acme/sdk/contract";
import type { DeploymentRef } from "../routing/refs.ts";

/** One run to create. Times in milliseconds. The caller makes the id, so that sending it again creates nothing new. */
export interface TriggerItem {
  runId: string;
  task: string;
  payload?: string;
  payloadType: string;
  metadata?: string;
  tags: string[];
  concurrencyKey?: string;
  /**
   * Names of the concurrency limits that it holds in addition to those of its queue. Absent: none, or those
   * of its still unknown task.
   */
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
  /** The span from which the run was triggered. Absent: the run begins a trace. */
  traceparent?: string;
  replayedFrom?: string;
  /** The bulk action that creates the run as a copy of another. */
  bulkAction?: string;
  /** The schedule whose tick created the run. */
  scheduleId?: string;
  /** Is notified of the outcome once, also when the run existed already; at once when it has ended. */
  waiter?: Waiter;
  /** Milliseconds for which the caller waits for the run's end. */
  waitMs?: number;
}

/** An operation of a run that waits for another run, or a batch that waits for it. */
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
  /** An earlier run that, according to its queue, no longer waits, so the key no longer refers to it. */
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
   * The item's run. With an idempotency key that was claimed before, it can be in another queue
   * (`parseRunId(runId).queueKey`): the caller then sends the item with this id there too, because the
   * claimant may have died before creating the run. Creating by id is idempotent.
   */
  runId: string;
  /** True: the idempotency key belongs to an earlier run, or this run id existed already. */
  cached: boolean;
  /** The debounce key's run is in another queue, which must be asked whether that run is still waiting. */
  mayBeOver?: true;
  /** The queue is at its size limit: nothing was created. */
  error?: "queue_full";
  /** The size limit of the queue; of a split queue, the share of one partition. */
  sizeLimit?: number;
  /**
   * The outcome of the run, if the item waits for it and it was created here. Null: it has not ended within
   * `waitMs`.
   */
  finished?: RunFinished | null;
}
