import type { AnyTask, RunBrands, TaskIdentifier, TaskOutput, TaskPayload } from "../define/task-types.ts";
import type { IdempotencyKey } from "./idempotency-keys.ts";
import type { TaskRunResult } from "./task-run-promise.ts";
import type { TriggerAndWaitOptions, TriggerOptions } from "./trigger-options.ts";

/** The items of a batch, at most 10,000: an array, or a stream of them. */
export type BatchItems<T> = readonly T[] | AsyncIterable<T> | ReadableStream<T>;

export interface BatchItem<TInput> {
  payload: TInput;
  options?: TriggerOptions;
}
export interface BatchTriggerAndWaitItem<TInput> {
  payload: TInput;
  options?: TriggerAndWaitOptions;
}
/** If the type argument is a union of tasks, each item is an item of one of them. */
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
  /**
   * The idempotency key of the batch: the same call again returns the same batch. Items without a key of
   * their own get one that is made from this key and their index.
   */
  idempotencyKey?: IdempotencyKey | string | string[];
  /** Applies to items without a TTL of their own. */
  idempotencyKeyTTL?: string;
  /** Has no effect: runs are always created in the order of the items. */
  triggerSequentially?: boolean;
}
export type BatchTriggerAndWaitOptions = BatchTriggerOptions;

/** A batch that was accepted. It carries the types of payload and output. */
export interface BatchRunHandle<TIdentifier extends string, TPayload, TOutput>
  extends RunBrands<TPayload, TOutput> {
  batchId: string;
  runCount: number;
  /** A token that can read this batch, if the server issues one. */
  publicAccessToken: string;
  /** True if the idempotency key returned an earlier batch. */
  isCached?: boolean;
  // Never set: it carries the type.
  readonly taskIdentifier?: TIdentifier;
}
export type BatchRunHandleOf<T extends AnyTask> = BatchRunHandle<
  TaskIdentifier<T>,
  TaskPayload<T>,
  TaskOutput<T>
>;

/** The results of a batch's runs, in the order of the items. */
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

/**
 * PENDING: not all items have arrived. PARTIAL_FAILED: some items were refused. ABORTED: no run was created.
 */
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
    /** The items for which no run could be created. */
    errors: { index: number; taskIdentifier: string; error: string; errorCode?: string }[];
  };
}
