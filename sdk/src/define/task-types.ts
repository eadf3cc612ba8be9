import type { ApiRequestOptions } from "../client/request-options.ts";
import type { MachinePreset } from "../contract/machines.ts";
import type { RetryOptions } from "../contract/manifest.ts";
import type { Context } from "../run/context.ts";
import type {
  BatchItem,
  BatchItems,
  BatchResult,
  BatchRunHandle,
  BatchTriggerAndWaitItem,
  BatchTriggerAndWaitOptions,
  BatchTriggerOptions,
} from "../trigger/batch-types.ts";
import type { TaskRunPromise } from "../trigger/task-run-promise.ts";
import type { TriggerAndWaitOptions, TriggerOptions } from "../trigger/trigger-options.ts";
import type {
  InitOutput,
  OnCancelHookFunction,
  OnCatchErrorHookFunction,
  OnCleanupHookFunction,
  OnCompleteHookFunction,
  OnFailureHookFunction,
  OnInitHookFunction,
  OnMiddlewareHookFunction,
  OnResumeHookFunction,
  OnStartAttemptHookFunction,
  OnStartHookFunction,
  OnSuccessHookFunction,
  OnWaitHookFunction,
} from "./hook-types.ts";
import type { QueueLimitOptions } from "./queue.ts";
import type { inferSchemaIn, inferSchemaOut, TaskSchema } from "./schema.ts";

/** Second argument of `run`. */
export interface RunFnParams<TInit = InitOutput> {
  /** Metadata about the task, run, attempt, queue, environment, organization, project and batch. */
  ctx: Context;
  /** What the `init` hooks returned. */
  init?: TInit;
  /** Aborted when the run is canceled or exceeds its `maxDuration`. */
  signal: AbortSignal;
}

export interface TaskQueueOptions extends QueueLimitOptions {
  /** Absent: the task's own queue. */
  name?: string;
}

/** Limits of a task that has a queue of its own. */
interface TaskConcurrency {
  /** Most runs executing at once of each `concurrencyKey`; runs without one share one. */
  perKey?: number;
  /** Most runs executing at once over all keys. */
  total?: number;
}

export interface CommonTaskOptions<
  TIdentifier extends string,
  TPayload,
  TOutput,
  TInit extends InitOutput = InitOutput,
> {
  /** Unique in the project; triggers name it. */
  id: TIdentifier;
  description?: string;
  /** Retries of a run that throws. Default: the configuration file's, else 3 attempts, ×2 from 1 s to 60 s, randomized. */
  retry?: RetryOptions;
  /** A queue object, or the name of a queue declared with `queue()`. Default: a queue of the task's own. */
  queue?: string | TaskQueueOptions;
  /** Another way to say `queue: { concurrencyLimit: perKey, totalConcurrencyLimit: total }`. */
  concurrency?: TaskConcurrency;
  /** Default: `small-1x`. */
  machine?: MachinePreset | { preset?: MachinePreset };
  /** Seconds of run time, at least 5: a run that takes longer is stopped. */
  maxDuration?: number;
  /** A run not started within this time expires: `"10m"`, or a number of seconds. */
  ttl?: string | number;
  run: (payload: TPayload, params: RunFnParams<TInit>) => Promise<TOutput>;
  /** JSON schema of the payload. */
  jsonSchema?: object;
  /** @deprecated use `locals` and `middleware` */
  init?: OnInitHookFunction<TPayload, TInit>;
  /** @deprecated use `middleware` */
  cleanup?: OnCleanupHookFunction<TPayload, TInit>;
  /** @deprecated use `catchError` */
  handleError?: OnCatchErrorHookFunction<TPayload, TInit>;
  /** An attempt threw: may change the error and whether and when the next attempt starts. */
  catchError?: OnCatchErrorHookFunction<TPayload, TInit>;
  /** Runs around the task; has to call `next()`. */
  middleware?: OnMiddlewareHookFunction<TPayload>;
  /** Before the run's first attempt. @deprecated use `onStartAttempt` */
  onStart?: OnStartHookFunction<TPayload, TInit>;
  /** Before each attempt. */
  onStartAttempt?: OnStartAttemptHookFunction<TPayload>;
  onSuccess?: OnSuccessHookFunction<TPayload, TOutput, TInit>;
  /** The run failed for good: no attempt follows. */
  onFailure?: OnFailureHookFunction<TPayload, TInit>;
  /** After success, and after failure for good. */
  onComplete?: OnCompleteHookFunction<TPayload, TOutput, TInit>;
  /** The run was canceled while this attempt ran. */
  onCancel?: OnCancelHookFunction<TPayload, TOutput, TInit>;
  onWait?: OnWaitHookFunction<TPayload, TInit>;
  onResume?: OnResumeHookFunction<TPayload, TInit>;
}

export type TaskOptions<
  TIdentifier extends string,
  TPayload = void,
  TOutput = unknown,
  TInit extends InitOutput = InitOutput,
> = CommonTaskOptions<TIdentifier, TPayload, TOutput, TInit>;

export type TaskWithSchemaOptions<
  TIdentifier extends string,
  TSchema extends TaskSchema | undefined = undefined,
  TOutput = unknown,
  TInit extends InitOutput = InitOutput,
> = CommonTaskOptions<TIdentifier, inferSchemaOut<TSchema>, TOutput, TInit> & {
  /** Standard Schema (zod, valibot, arktype, …), a function, or an object with `parse`. */
  schema?: TSchema;
};

declare const OUTPUT: unique symbol;
declare const PAYLOAD: unique symbol;

/** Optional and never set: they carry types for inference alone. */
export interface RunBrands<TPayload, TOutput> {
  readonly [PAYLOAD]?: { value: TPayload };
  readonly [OUTPUT]?: { value: TOutput };
}

/** A run as `trigger` returns it; carries the task's payload and output types. */
export interface RunHandle<TIdentifier extends string, TPayload, TOutput>
  extends RunBrands<TPayload, TOutput> {
  id: string;
  /** A token that reads this run, where the server gives one. */
  publicAccessToken?: string;
  taskIdentifier: TIdentifier;
  /** True: an earlier run answers for the idempotency key. */
  isCached?: boolean;
}
export type AnyRunHandle = RunHandle<string, unknown, unknown>;
export type RunHandlePayload<T> = T extends RunHandle<string, infer P, unknown> ? P : never;
export type RunHandleOutput<T> = T extends RunHandle<string, unknown, infer O> ? O : never;
export type RunHandleTaskIdentifier<T> = T extends RunHandle<infer I, unknown, unknown> ? I : never;

export interface Task<TIdentifier extends string, TInput = void, TOutput = unknown> {
  id: TIdentifier;
  description?: string;
  jsonSchema?: object;
  /**
   * Triggers a run of this task and returns as soon as the platform has stored it.
   * @throws ApiError and its kin
   */
  trigger(
    payload: TInput,
    options?: TriggerOptions,
    requestOptions?: ApiRequestOptions,
  ): Promise<RunHandle<TIdentifier, TInput, TOutput>>;
  /**
   * Triggers a run of this task and waits until it is over; the waiting run is suspended meanwhile. Only inside a run.
   * `.unwrap()` gives the output, or throws a SubtaskUnwrapError.
   * @throws ApiError and its kin where it could not be triggered
   */
  triggerAndWait(
    payload: TInput,
    options?: TriggerAndWaitOptions,
    requestOptions?: ApiRequestOptions,
  ): TaskRunPromise<TIdentifier, TOutput>;
  /**
   * Triggers a run of this task for each item.
   * @throws BatchTriggerError
   */
  batchTrigger(
    items: BatchItems<BatchItem<TInput>>,
    options?: BatchTriggerOptions,
    requestOptions?: ApiRequestOptions,
  ): Promise<BatchRunHandle<TIdentifier, TInput, TOutput>>;
  /**
   * Triggers a run of this task for each item and waits until all are over. Only inside a run.
   * @throws BatchTriggerError
   */
  batchTriggerAndWait(
    items: BatchItems<BatchTriggerAndWaitItem<TInput>>,
    options?: BatchTriggerAndWaitOptions,
    requestOptions?: ApiRequestOptions,
  ): Promise<BatchResult<TIdentifier, TOutput>>;
  // Never set: lets conditional types read the output.
  readonly [OUTPUT]?: { value: TOutput };
}
export interface TaskWithSchema<
  TIdentifier extends string,
  TSchema extends TaskSchema | undefined = undefined,
  TOutput = unknown,
> extends Task<TIdentifier, inferSchemaIn<TSchema>, TOutput> {
  schema?: TSchema;
}

export type AnyTask = Task<string, unknown, unknown>;
export type TaskPayload<T extends AnyTask> = T extends Task<string, infer P, unknown> ? P : never;
export type TaskOutput<T extends AnyTask> = T extends Task<string, unknown, infer O> ? O : never;
export type TaskIdentifier<T extends AnyTask> = T extends { id: infer I extends string } ? I : never;
export type InferTaskPayload<T extends AnyTask> = TaskPayload<T>;
export type InferTaskOutput<T extends AnyTask> = TaskOutput<T>;
