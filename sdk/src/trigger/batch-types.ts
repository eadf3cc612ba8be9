import type { AnyTask, RunBrands, TaskIdentifier, TaskOutput, TaskPayload } from "../define/task-types.ts";
import type { IdempotencyKey } from "./idempotency-keys.ts";
import type { TaskRunResult } from "./task-run-promise.ts";
import type { TriggerAndWaitOptions, TriggerOptions } from "./trigger-options.ts";

/** Items of a batch: all of them, or as they come. At most 10,000. */
export type BatchItems<T> = readonly T[] | AsyncIterable<T> | ReadableStream<T>;

export interface BatchItem<TInput> {
  payload: TInput;
  options?: TriggerOptions;
}
export interface BatchTriggerAndWaitItem<TInput> {
  payload: TInput;
  options?: TriggerAndWaitOptions;
}
/** With a union of tasks as type argument, each item is one of theirs. */
export type BatchByIdItem<T extends AnyTask> = T extends AnyTask
  ? { id: TaskIdentifier<T>; payload: TaskPayload<T>; options?: TriggerOptions }
  : never;
export type BatchByIdAndWaitItem<T extends AnyTask> = T extends AnyTask
  ? { id: TaskIdentifier<T>; payload: TaskPayload<T>; options?: TriggerAndWaitOptions }
  : never;
export interface BatchByTaskItem<T extends AnyTask> {
  task: T;
  payload: TaskPayload<T>;
  options?: TriggerOptions;
}
export interface BatchByTaskAndWaitItem<T extends AnyTask> {
  task: T;
  payload: TaskPayload<T>;
  options?: TriggerAndWaitOptions;
}

export interface BatchTriggerOptions {
  /** Makes a key for each item that has none, of this and the item's place. And the same call again gives the same batch. */
  idempotencyKey?: IdempotencyKey | string | string[];
  /** Of items that say nothing themselves. */
  idempotencyKeyTTL?: string;
  /** Runs are created in the order of the items anyway. */
  triggerSequentially?: boolean;
}
export type BatchTriggerAndWaitOptions = BatchTriggerOptions;

/** A batch that was accepted; carries payload and output types. */
export interface BatchRunHandle<TIdentifier extends string, TPayload, TOutput>
  extends RunBrands<TPayload, TOutput> {
  batchId: string;
  runCount: number;
  /** A token that reads this batch, where the server gives one. */
  publicAccessToken: string;
  /** True: an earlier batch answers for the idempotency key. */
  isCached?: boolean;
  // Never set: carries the type.
  readonly taskIdentifier?: TIdentifier;
}
export type BatchRunHandleOf<T extends AnyTask> = BatchRunHandle<
  TaskIdentifier<T>,
  TaskPayload<T>,
  TaskOutput<T>
>;

/** What the runs of a batch came to, in the order of the items. */
export interface BatchResult<TIdentifier extends string, TOutput = unknown> {
  id: string;
  runs: TaskRunResult<TIdentifier, TOutput>[];
}
type TaskRunResultFromTask<T extends AnyTask> = T extends AnyTask
  ? TaskRunResult<TaskIdentifier<T>, TaskOutput<T>>
  : never;
export interface BatchByIdResult<T extends AnyTask> {
  id: string;
  runs: TaskRunResultFromTask<T>[];
}
export interface BatchByTaskResult<TTasks extends readonly AnyTask[]> {
  id: string;
  runs: { [K in keyof TTasks]: TaskRunResultFromTask<TTasks[K]> };
}

/** PENDING: not all items have arrived. PARTIAL_FAILED: some items were refused. ABORTED: no run was created. */
export type BatchStatus = "PENDING" | "PROCESSING" | "COMPLETED" | "PARTIAL_FAILED" | "ABORTED";
export interface RetrievedBatch {
  id: string;
  status: BatchStatus;
  idempotencyKey?: string;
  createdAt: Date;
  updatedAt: Date;
  runCount: number;
  /** Ids of the runs created so far, in the order of their items. */
  runs: string[];
  processing: {
    completedAt?: Date;
    /** Items that no run could be created for. */
    errors: { index: number; taskIdentifier: string; error: string; errorCode?: string }[];
  };
}
