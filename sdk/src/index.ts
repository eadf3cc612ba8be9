/**
 * The SDK. The names are those of `@trigger.dev/sdk`, so that a task file written for it runs unchanged; a name that is not
 * here is not available yet, and the bundler says so.
 */
export { auth, configure } from "./auth.ts";
export { batch } from "./batch.ts";
export { BatchTriggerError } from "./batch-trigger-error.ts";
export type {
  BatchByIdAndWaitItem,
  BatchByIdItem,
  BatchByIdResult,
  BatchByTaskAndWaitItem,
  BatchByTaskItem,
  BatchByTaskResult,
  BatchItem,
  BatchItems,
  BatchResult,
  BatchRunHandle,
  BatchStatus,
  BatchTriggerAndWaitItem,
  BatchTriggerAndWaitOptions,
  BatchTriggerOptions,
  RetrievedBatch,
} from "./batch-types.ts";
export {
  ApiConnectionError,
  ApiConnectionTimeoutError,
  ApiError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
} from "./client/api-errors.ts";
export type { ApiPromise } from "./client/api-promise.ts";
export { type ApiClientConfiguration, ApiClientMissingError } from "./client/configuration.ts";
export type { CursorPage, CursorPageParams, CursorPagePromise } from "./client/cursor-page.ts";
export type { OffsetLimitPage, OffsetLimitPagePromise } from "./client/offset-page.ts";
export type {
  ListQueueOptions,
  QueueItem,
  QueueLimit,
  RetrieveQueueParam,
} from "./client/queues-api.ts";
export type { ApiRequestOptions, TriggerApiRequestOptions } from "./client/request-options.ts";
export type {
  CreatedWaitpointToken,
  CreateWaitpointTokenOptions,
  ListWaitpointTokensQueryParams,
  WaitpointToken,
  WaitpointTokenStatus,
} from "./client/tokens-api.ts";
export { type AcmeConfig, defineConfig, type TriggerConfig } from "./config.ts";
export type { Context, TaskRunContext } from "./context.ts";
export type { MachinePreset } from "./contract/machines.ts";
export {
  AbortTaskRunError,
  CompleteTaskWithOutput,
  MaxDurationExceededError,
  OutOfMemoryError,
  TaskPayloadParsedError,
} from "./errors.ts";
export type * from "./hook-types.ts";
export {
  type IdempotencyKey,
  type IdempotencyKeyScope,
  idempotencyKeys,
  type ResetIdempotencyKeyOptions,
} from "./idempotency-keys.ts";
export { type LocalsKey, locals } from "./locals.ts";
export { type LogLevel, type LogProperties, logger } from "./logger.ts";
export { type MetadataUpdater, metadata } from "./metadata.ts";
export { type Queue, type QueueLimitOptions, type QueueOptions, queue, type RateLimit } from "./queue.ts";
export { queues } from "./queues.ts";
export {
  type FetchRetryByStatusOptions,
  type FetchRetryOptions,
  type FetchRetryStrategy,
  type RetryFetchInit,
  type RetryOptions,
  retry,
} from "./retry.ts";
export type {
  AnyRetrieveRunResult,
  InferRunTypes,
  ListProjectRunsQueryParams,
  ListRunResponseItem,
  ListRunsQueryParams,
  RetrieveRunResult,
  RunStatus,
  TaskRunShape,
} from "./run-types.ts";
export { type ReplayRunOptions, runs } from "./runs.ts";
export type {
  CreateScheduleOptions,
  CronOptions,
  ListScheduleOptions,
  ScheduledTaskPayload,
  ScheduleObject,
  ScheduleOptions,
  UpdateScheduleOptions,
} from "./schedule-types.ts";
export { schedules } from "./schedules.ts";
export type { inferSchemaIn, inferSchemaOut, TaskSchema } from "./schema.ts";
export type { RecordSettings } from "./state.ts";
export { type StepOptions, type StepParams, step } from "./step.ts";
export { tags } from "./tags.ts";
export { schemaTask, task } from "./task.ts";
export { SubtaskUnwrapError, TaskRunPromise, type TaskRunResult } from "./task-run-promise.ts";
export type {
  AnyRunHandle,
  AnyTask,
  InferTaskOutput,
  InferTaskPayload,
  RunFnParams,
  RunHandle,
  RunHandleOutput,
  RunHandlePayload,
  RunHandleTaskIdentifier,
  Task,
  TaskIdentifier,
  TaskOptions,
  TaskOutput,
  TaskPayload,
  TaskQueueOptions,
  TaskWithSchema,
  TaskWithSchemaOptions,
} from "./task-types.ts";
export { tasks } from "./tasks.ts";
export { timeout } from "./timeout.ts";
export type { DebounceOptions, TriggerAndWaitOptions, TriggerOptions } from "./trigger-options.ts";
export { type ComputeUsage, type CurrentUsage, usage } from "./usage.ts";
export {
  type CommonWaitOptions,
  ManualWaitpointPromise,
  type WaitForOptions,
  type WaitpointRetrievedToken,
  WaitpointTimeoutError,
  type WaitpointTokenResult,
  type WaitUntilOptions,
  wait,
} from "./wait.ts";
export type { WaitPeriod } from "./wait-period.ts";
