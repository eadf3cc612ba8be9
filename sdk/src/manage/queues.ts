import type { ApiPromise } from "../client/api-promise.ts";
import type { OffsetLimitPagePromise } from "../client/offset-page.ts";
import {
  getQueue,
  type ListQueueOptions,
  listQueuePages,
  postQueue,
  type QueueItem,
  type RetrieveQueueParam,
} from "../client/queues-api.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import type { RateLimit } from "../define/queue.ts";

/** What is set through `queues` holds through triggers and deployments, until it is reset. All throw ApiError and its kin. */
export const queues = {
  /** Queues that had runs or that the current deployment declares, by name; iterating goes through all pages. */
  list: (options?: ListQueueOptions, requestOptions?: ApiRequestOptions): OffsetLimitPagePromise<QueueItem> =>
    listQueuePages(options ?? {}, requestOptions),

  retrieve: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    getQueue(queue, requestOptions),

  /** Starts no more runs of it. What runs goes on, what is triggered waits. */
  pause: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "pause", body: { action: "pause" } }, requestOptions),

  resume: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "pause", body: { action: "resume" } }, requestOptions),

  /** A number: for each concurrency key, as `concurrencyLimit` in code. Lowering it stops nothing that runs. */
  overrideConcurrencyLimit: (
    queue: RetrieveQueueParam,
    limit: number | { concurrencyLimit?: number; totalConcurrencyLimit?: number },
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueItem> => {
    const body = typeof limit === "number" ? { concurrencyLimit: limit } : limit;
    return postQueue(queue, { path: "concurrency/override", body }, requestOptions);
  },

  /** Back to what is declared in code. */
  resetConcurrencyLimit: (
    queue: RetrieveQueueParam,
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueItem> => postQueue(queue, { path: "concurrency/reset" }, requestOptions),

  /** Null: no rate limit, whatever is declared. */
  overrideRateLimit: (
    queue: RetrieveQueueParam,
    limits: { rateLimit?: RateLimit | null; rateLimitPerKey?: RateLimit | null },
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueItem> => postQueue(queue, { path: "rate-limit/override", body: limits }, requestOptions),

  /** Back to what is declared in code. */
  resetRateLimit: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "rate-limit/reset" }, requestOptions),

  /** 1 to 64: new runs are spread over so many objects. Runs in others than these stay where they are until they are over. */
  overridePartitions: (
    queue: RetrieveQueueParam,
    partitions: number,
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "partitions/override", body: { partitions } }, requestOptions),

  /** Back to what is declared in code. */
  resetPartitions: (queue: RetrieveQueueParam, requestOptions?: ApiRequestOptions): ApiPromise<QueueItem> =>
    postQueue(queue, { path: "partitions/reset" }, requestOptions),
};
