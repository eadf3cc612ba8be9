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

/** What is known of every run, also in a list. */
interface RunSummary<TTask extends string = string> {
  id: string;
  status: RunStatus;
  taskIdentifier: TTask;
  idempotencyKey?: string;
  /** Version of the deployment. */
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
  /** Compute time. */
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

/** A run with payload, output and error. */
export interface RetrievedRun<TTask extends string, TPayload, TOutput> extends RunSummary<TTask> {
  depth: number;
  triggerFunction: RelatedRunDetails["triggerFunction"];
  batchId?: string;
  payload?: TPayload;
  /** Where a large payload can be fetched; `runs.retrieve` has done so. */
  payloadPresignedUrl?: string;
  output?: TOutput;
  outputPresignedUrl?: string;
  /** Why it failed. */
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

/** Task, payload and output of what names a run: a handle, the type of a task, or nothing known for an id. */
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

/** How a run is named: its handle or id; with the type of a task as type argument, its id. */
export type RunIdOf<T> = T extends AnyRunHandle
  ? T
  : T extends AnyTask
    ? string
    : T extends string
      ? T
      : never;

export interface QueueTypeName {
  /** `task`: the own queue of the task of this name. */
  type: "task" | "custom";
  name: string;
}

/** Filters of `runs.list()`; of several values one has to match. */
export interface ListRunsQueryParams extends CursorPageParams {
  status?: RunStatus | RunStatus[];
  taskIdentifier?: string | string[];
  version?: string | string[];
  /** Created at or after. A number: milliseconds since the epoch. */
  from?: Date | number;
  /** Created at or before. */
  to?: Date | number;
  /** Created within: `"1h"`, `"7d"`, … */
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
