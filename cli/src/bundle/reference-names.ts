/**
 * The values that `@trigger.dev/sdk` 4.8.3 exports. In TypeScript, an import that is never used may be a
 * type, which can be ignored. These are not types, so an import of one that this SDK does not have is
 * refused, whether it is used or not.
 */
export const REFERENCE_VALUES: ReadonlySet<string> = new Set(
  `AbortTaskRunError ApiError AuthenticationError BadRequestError BatchTriggerError ChatChunkTooLargeError
  CompleteTaskWithOutput ConflictError InMemoryCache InternalServerError ManualWaitpointPromise NotFoundError
  OIDCTokenError OutOfMemoryError PermissionDeniedError RateLimitError SessionHandle SessionInputChannel
  SessionOutputChannel SubtaskUnwrapError TriggerClient UnprocessableEntityError WaitpointTimeoutError
  WebhookEndpointNotFoundError WebhookError WebhookFilterError WebhookIndexingError WebhookWaiterCancelledError
  WebhookWaiterLimitError auth batch chatEvent concurrencyLimit concurrencyLimits configure createCache defineConfig
  defineWebhookEndpoint deployments envvars heartbeats idempotencyKeys isChatChunkTooLargeError locals logger
  markChatAgentRunForStreamsWarning metadata normalizeKeyString otel prompts providerProducers query queue queues retry
  runs schedules schemaTask sessions skills streams tags task tasks timeout toolTask usage wait waitUntil webhook
  webhookSources webhooks`.split(/\s+/),
);
