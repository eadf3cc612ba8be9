import type { ApiPromise } from "../client/api-promise.ts";
import type { OffsetLimitPagePromise } from "../client/offset-page.ts";
import {
  getQueue,
  getQueueMetrics,
  type ListQueueOptions,
  listQueuePages,
  postQueue,
  type QueueItem,
  type QueueMetrics,
  type QueueMetricsOptions,
  type RetrieveQueueParam,
} from "../client/queues-api.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import type { RateLimit } from "../define/queue.ts";

/**
 * Lists, pauses and changes queues. Settings made here override those in code, also after deployments, until
 * they are reset. Every function throws ApiError or a subclass.
 */
export const queues = {
  /**
   * Lists the queues that had runs or that the current deployment declares, by name. Iterating visits all
   * pages.
   */
  list: (options?: ListQueueOptions, requestOptions?: ApiRequestOptions): OffsetLimitPagePromise<QueueItem> =>
    listQueuePages(options ?? {}, requestOptions),

  retrieve: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    getQueue(queue, requestOptions),

  /**
   * Returns how many runs waited and executed over the last hours, and how long runs waited for their start.
   */
  metrics: (
    queue: RetrieveQueueParam,
    metrics?: QueueMetricsOptions,
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueMetrics> => getQueueMetrics(queue, metrics ?? {}, requestOptions),

  /** Pauses a queue: no more of its runs start. Executing runs continue, and runs that are triggered wait. */
  pause: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "pause", body: { action: "pause" } }, requestOptions),

  resume: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "pause", body: { action: "resume" } }, requestOptions),

  /**
   * Overrides limits. A number is the limit per concurrency key, as `concurrencyLimit` in code. Executing
   * runs are not stopped.
   */
  overrideConcurrencyLimit: (
    queue: RetrieveQueueParam,
    limit: number | { concurrencyLimit?: number; totalConcurrencyLimit?: number },
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueItem> => {
    const body = typeof limit === "number" ? { concurrencyLimit: limit } : limit;
    return postQueue(queue, { path: "concurrency/override", body }, requestOptions);
  },

  /** Restores what is declared in code. */
  resetConcurrencyLimit: (
    queue: RetrieveQueueParam,
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueItem> => postQueue(queue, { path: "concurrency/reset" }, requestOptions),

  /** Overrides rate limits. Null: there is no rate limit, even if one is declared in code. */
  overrideRateLimit: (
    queue: RetrieveQueueParam,
    limits: { rateLimit?: RateLimit | null; rateLimitPerKey?: RateLimit | null },
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueItem> => postQueue(queue, { path: "rate-limit/override", body: limits }, requestOptions),

  /** Restores what is declared in code. */
  resetRateLimit: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "rate-limit/reset" }, requestOptions),

  /**
   * Spreads new runs over this many objects, 1 to 64. Runs that exist stay in their object until they are
   * finished.
   */
  overridePartitions: (
    queue: RetrieveQueueParam,
    partitions: number,
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "partitions/override", body: { partitions } }, requestOptions),

  /** Restores what is declared in code. */
  resetPartitions: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "partitions/reset" }, requestOptions),
};
