import type { CursorPageParams } from "../client/cursor-page.ts";
import type { MachinePreset } from "../contract/machines.ts";
import type { SerializedError } from "../contract/run-errors.ts";
import type { PublicRunStatus } from "../contract/states.ts";
import type {
  AnyRunHandle,
  AnyTask,
  RunHandle,
  TaskIdentifier,
  TaskOutput,
  TaskPayload,
} from "../define/task-types.ts";

export type RunStatus = PublicRunStatus;

/** The fields of every run, in a list as well as retrieved. */
interface RunSummary<TTask extends string = string> {
  id: string;
  status: RunStatus;
  taskIdentifier: TTask;
  idempotencyKey?: string;
  /** The version of the deployment that the run is locked to. */
  version?: string;
  isQueued: boolean;
  isExecuting: boolean;
  isWaiting: boolean;
  /** True in every final state. */
  isCompleted: boolean;
  isSuccess: boolean;
  isFailed: boolean;
  isCancelled: boolean;
  isTest: boolean;
  createdAt: Date;
  updatedAt: Date;
  startedAt?: Date;
  finishedAt?: Date;
  delayedUntil?: Date;
  ttl?: string;
  expiredAt?: Date;
  tags: string[];
  costInCents: number;
  baseCostInCents: number;
  /** Compute time in milliseconds. */
  durationMs: number;
  metadata?: Record<string, unknown>;
  taskKind?: string;
  region?: string;
}

/** An item of `runs.list()`. */
export interface ListRunResponseItem extends RunSummary {
  env: { id: string; name: string; user?: string };
}

export interface RelatedRunDetails extends RunSummary {
  depth: number;
  triggerFunction: "trigger" | "triggerAndWait" | "batchTrigger" | "batchTriggerAndWait";
  batchId?: string;
}

/** A run with its payload, output and error. */
export interface RetrievedRun<TTask extends string, TPayload, TOutput> extends RunSummary<TTask> {
  depth: number;
  triggerFunction: RelatedRunDetails["triggerFunction"];
  batchId?: string;
  payload?: TPayload;
  /** The address of a large payload. `runs.retrieve` has downloaded it already. */
  payloadPresignedUrl?: string;
  output?: TOutput;
  outputPresignedUrl?: string;
  /** Why the run failed. */
  error?: SerializedError;
  schedule?: {
    id: string;
    externalId?: string;
    deduplicationKey?: string;
    generator: { type: "CRON"; expression: string; description: string };
  };
  relatedRuns: { root?: RelatedRunDetails; parent?: RelatedRunDetails; children?: RelatedRunDetails[] };
  attemptCount: number;
}

/**
 * The types of task, payload and output, inferred from a handle or from the type of a task. For a plain id,
 * unknown.
 */
export type InferRunTypes<T> =
  T extends RunHandle<infer I, infer P, infer O>
    ? { taskIdentifier: I; payload: P; output: O }
    : T extends AnyTask
      ? { taskIdentifier: TaskIdentifier<T>; payload: TaskPayload<T>; output: TaskOutput<T> }
      : { taskIdentifier: string; payload: unknown; output: unknown };

export type RetrieveRunResult<T> = RetrievedRun<
  InferRunTypes<T>["taskIdentifier"],
  InferRunTypes<T>["payload"],
  InferRunTypes<T>["output"]
>;
export type AnyRetrieveRunResult = RetrieveRunResult<string>;
export type TaskRunShape<T extends AnyTask> = RetrieveRunResult<T>;

/** A run's handle or its id. If the type argument is the type of a task, its id. */
export type RunIdOf<T> = T extends AnyRunHandle
  ? T
  : T extends AnyTask
    ? string
    : T extends string
      ? T
      : never;

export interface QueueTypeName {
  /** Type `task` names the queue that a task of this name has of its own. */
  type: "task" | "custom";
  name: string;
}

/** The filters of `runs.list()`. If a filter has several values, any of them may match. */
export interface ListRunsQueryParams extends CursorPageParams {
  status?: RunStatus | RunStatus[];
  taskIdentifier?: string | string[];
  version?: string | string[];
  /** Created at or after this time. A number is milliseconds since the epoch. */
  from?: Date | number;
  /** Created at or before this time. */
  to?: Date | number;
  /** Created within the last `"1h"`, `"7d"`, … */
  period?: string;
  tag?: string | string[];
  schedule?: string;
  isTest?: boolean;
  batch?: string;
  bulkAction?: string;
  queue?: QueueTypeName | QueueTypeName[];
  machine?: MachinePreset | MachinePreset[];
  region?: string | string[];
}
export interface ListProjectRunsQueryParams extends ListRunsQueryParams {
  env?: ListEnv | ListEnv[];
}
type ListEnv = "dev" | "staging" | "prod";
