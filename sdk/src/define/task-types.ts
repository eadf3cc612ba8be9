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
import type { TaskConcurrency } from "./concurrency.ts";
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
  /** Facts about the task, run, attempt, queue, environment, organization, project and batch. */
  ctx: Context;
  /** What the `init` hooks returned. */
  init?: TInit;
  /** Aborted when the run is canceled or exceeds its `maxDuration`. */
  signal: AbortSignal;
}

export interface TaskQueueOptions extends QueueLimitOptions {
  /** If absent, it is the task's own queue. */
  name?: string;
}

export interface CommonTaskOptions<
  TIdentifier extends string,
  TPayload,
  TOutput,
  TInit extends InitOutput = InitOutput,
> {
  /** Unique in the project. Triggers refer to the task by its id. */
  id: TIdentifier;
  description?: string;
  /**
   * How a run that throws is retried. Default: the settings of the configuration file, or else 3 attempts
   * with randomized delays that double from 1 s up to 60 s.
   */
  retry?: RetryOptions;
  /**
   * A queue, or the name of one that is declared with `queue()`. Default: the task has a queue of its own.
   */
  queue?: string | TaskQueueOptions;
  /**
   * How many of the task's runs may execute at once: `{ perKey, total }` for the task itself, the return
   * value of `concurrencyLimit()` (or its name) for a shared limit, or several of these.
   */
  concurrency?: TaskConcurrency;
  /** Default: `small-1x`. */
  machine?: MachinePreset | { preset?: MachinePreset };
  /** Seconds of run time, at least 5. A run that takes longer is stopped. */
  maxDuration?: number;
  /** A run that has not started within this time expires: `"10m"`, or a number of seconds. */
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
  /**
   * Called when an attempt throws. Can replace the error, and decide whether and when the next attempt
   * starts.
   */
  catchError?: OnCatchErrorHookFunction<TPayload, TInit>;
  /** Called around the task. It has to call `next()`. */
  middleware?: OnMiddlewareHookFunction<TPayload>;
  /** Called before the run's first attempt. @deprecated use `onStartAttempt` */
  onStart?: OnStartHookFunction<TPayload, TInit>;
  /** Called before each attempt. */
  onStartAttempt?: OnStartAttemptHookFunction<TPayload>;
  onSuccess?: OnSuccessHookFunction<TPayload, TOutput, TInit>;
  /** Called when the run has failed and no attempt follows. */
  onFailure?: OnFailureHookFunction<TPayload, TInit>;
  /** Called after `onSuccess` and after `onFailure`. */
  onComplete?: OnCompleteHookFunction<TPayload, TOutput, TInit>;
  /** Called when the run is canceled during this attempt. */
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

/** Never set: these optional properties only carry types for inference. */
export interface RunBrands<TPayload, TOutput> {
  readonly [PAYLOAD]?: { value: TPayload };
  readonly [OUTPUT]?: { value: TOutput };
}

/** The result of `trigger`. It carries the task's payload and output types. */
export interface RunHandle<TIdentifier extends string, TPayload, TOutput>
  extends RunBrands<TPayload, TOutput> {
  id: string;
  /** A token that can read this run, if the server issues one. */
  publicAccessToken?: string;
  taskIdentifier: TIdentifier;
  /** True if the idempotency key returned an earlier run. */
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
   * @throws ApiError or a subclass
   */
  trigger(
    payload: TInput,
    options?: TriggerOptions,
    requestOptions?: ApiRequestOptions,
  ): Promise<RunHandle<TIdentifier, TInput, TOutput>>;
  /**
   * Triggers a run of this task and waits until it has finished. The waiting run is suspended. Only inside a
   * run. `.unwrap()` returns the output, or throws a SubtaskUnwrapError.
   * @throws ApiError or a subclass if the run could not be triggered
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
   * Triggers a run of this task for each item and waits until all have finished. Only inside a run.
   * @throws BatchTriggerError
   */
  batchTriggerAndWait(
    items: BatchItems<BatchTriggerAndWaitItem<TInput>>,
    options?: BatchTriggerAndWaitOptions,
    requestOptions?: ApiRequestOptions,
  ): Promise<BatchResult<TIdentifier, TOutput>>;
  // Never set: it lets conditional types read the output type.
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
