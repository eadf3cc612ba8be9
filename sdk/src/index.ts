/**
 * The SDK. The names are those of `@trigger.dev/sdk`, so that a task file written for it runs unchanged; a
 * name that is not here is not available yet, and the bundler says so.
 */

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
export type {
  CreateEnvironmentVariableParams,
  EnvironmentVariable,
  ImportEnvironmentVariablesParams,
  UpdateEnvironmentVariableParams,
} from "./client/envvars-api.ts";
export type {
  ConcurrencyLimitBound,
  ConcurrencyLimitItem,
  ConcurrencyLimitKeyItem,
  ListConcurrencyLimitOptions,
} from "./client/limits-api.ts";
export type { OffsetLimitPage, OffsetLimitPagePromise } from "./client/offset-page.ts";
export type {
  ListQueueOptions,
  QueueItem,
  QueueLimit,
  QueueMetrics,
  QueueMetricsOptions,
  QueueMetricsPoint,
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
export type { MachinePreset } from "./contract/machines.ts";
export type * from "./define/build-extension.ts";
export {
  type ConcurrencyLimit,
  type ConcurrencyLimitOptions,
  type ConcurrencyShape,
  concurrencyLimit,
  type TaskConcurrency,
} from "./define/concurrency.ts";
export { type AcmeConfig, defineConfig, type TriggerConfig } from "./define/config.ts";
export {
  AbortTaskRunError,
  CompleteTaskWithOutput,
  MaxDurationExceededError,
  OutOfMemoryError,
  TaskPayloadParsedError,
} from "./define/errors.ts";
export type * from "./define/hook-types.ts";
export {
  type Queue,
  type QueueLimitOptions,
  type QueueOptions,
  queue,
  type RateLimit,
} from "./define/queue.ts";
export type { inferSchemaIn, inferSchemaOut, TaskSchema } from "./define/schema.ts";
export { schemaTask, task } from "./define/task.ts";
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
} from "./define/task-types.ts";
export { auth, configure } from "./manage/auth.ts";
export type { BulkAction, BulkActionSelection } from "./manage/bulk-actions.ts";
export {
  type ConcurrencyLimitKeyOptions,
  concurrencyLimits,
  type OverrideConcurrencyLimitBounds,
  type OverrideConcurrencyLimitKey,
} from "./manage/concurrency-limits.ts";
export { type DeploymentItem, deployments, type ListDeploymentsOptions } from "./manage/deployments.ts";
export { envvars } from "./manage/envvars.ts";
export type {
  CreatePublicTokenOptions,
  CreateTriggerTokenOptions,
  ReadScopes,
  TaskScopes,
  WriteScopes,
} from "./manage/public-tokens.ts";
export { type QueryOptions, query } from "./manage/query.ts";
export { queues } from "./manage/queues.ts";
export type {
  RealtimeRun,
  RunSubscription,
  SubscribeToRunOptions,
  SubscribeToRunsOptions,
} from "./manage/run-subscriptions.ts";
export type {
  AnyRetrieveRunResult,
  InferRunTypes,
  ListProjectRunsQueryParams,
  ListRunResponseItem,
  ListRunsQueryParams,
  RetrieveRunResult,
  RunStatus,
  TaskRunShape,
} from "./manage/run-types.ts";
export { type ReplayRunOptions, runs } from "./manage/runs.ts";
export type {
  CreateScheduleOptions,
  CronOptions,
  ListScheduleOptions,
  ScheduledTaskPayload,
  ScheduleObject,
  ScheduleOptions,
  UpdateScheduleOptions,
} from "./manage/schedule-types.ts";
export { schedules } from "./manage/schedules.ts";
export { TriggerClient, type TriggerClientConfig } from "./manage/trigger-client.ts";
export { type RawWebhook, type Webhook, WebhookError, webhooks } from "./manage/webhooks.ts";
export {
  type CacheEntry,
  type CacheFunction,
  type CacheMetadata,
  type CacheStore,
  createCache,
  InMemoryCache,
} from "./run/cache.ts";
export type { Context, TaskRunContext } from "./run/context.ts";
export { heartbeats } from "./run/heartbeats.ts";
export { type LocalsKey, locals } from "./run/locals.ts";
export { type LogLevel, type LogProperties, logger } from "./run/logger.ts";
export { type MetadataUpdater, metadata } from "./run/metadata.ts";
export { otel } from "./run/otel.ts";
export {
  type FetchRetryByStatusOptions,
  type FetchRetryOptions,
  type FetchRetryStrategy,
  type RetryFetchInit,
  type RetryOptions,
  retry,
} from "./run/retry.ts";
export type { RecordSettings } from "./run/state.ts";
export { tags } from "./run/tags.ts";
export { timeout } from "./run/timeout.ts";
export { type ComputeUsage, type CurrentUsage, usage } from "./run/usage.ts";
export { waitUntil } from "./run/wait-until.ts";
export {
  type InputStream,
  type InputStreamIdleOptions,
  type InputStreamOnceOptions,
  InputStreamTimeoutError,
  type InputStreamWaitOptions,
} from "./streams/input-stream.ts";
export type { ReadStreamOptions } from "./streams/read-stream.ts";
export {
  type PipedStream,
  type PipeOptions,
  type StreamWriterHandle,
  streams,
  type WriterOptions,
} from "./streams/streams.ts";
export { batch } from "./trigger/batch.ts";
export { BatchTriggerError } from "./trigger/batch-trigger-error.ts";
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
} from "./trigger/batch-types.ts";
export {
  type IdempotencyKey,
  type IdempotencyKeyScope,
  idempotencyKeys,
  type ResetIdempotencyKeyOptions,
} from "./trigger/idempotency-keys.ts";
export { SubtaskUnwrapError, TaskRunPromise, type TaskRunResult } from "./trigger/task-run-promise.ts";
export { tasks } from "./trigger/tasks.ts";
export type { DebounceOptions, TriggerAndWaitOptions, TriggerOptions } from "./trigger/trigger-options.ts";
export { type StepOptions, type StepParams, step } from "./wait/step.ts";
export {
  type CommonWaitOptions,
  ManualWaitpointPromise,
  type WaitForOptions,
  type WaitpointRetrievedToken,
  WaitpointTimeoutError,
  type WaitpointTokenResult,
  type WaitUntilOptions,
  wait,
} from "./wait/wait.ts";
export type { WaitPeriod } from "./wait/wait-period.ts";
