import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const QUEUES_OPERATIONS: Operations = {
  "/api/v1/queues": {
    get: {
      id: "listQueues",
      summary: "List queues by name: those that had runs and those that the current deployment declares",
      query: api.ListQueuesQuery,
      response: api.ListQueuesResponse,
    },
  },
  "/api/v1/queues/{queue}": {
    get: {
      id: "getQueue",
      summary: "Retrieve a queue",
      query: api.RetrieveQueueQuery,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/metrics": {
    get: {
      id: "getQueueMetrics",
      summary:
        "Retrieve a queue's activity over the last hours: how many runs waited and executed, and how long runs waited",
      query: api.QueueMetricsQuery,
      response: api.QueueMetrics,
    },
  },
  "/api/v1/queues/{queue}/pause": {
    post: {
      id: "pauseQueue",
      summary: "Pause a queue (executing runs continue, no more are started), or resume it",
      body: api.PauseQueueBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/concurrency/override": {
    post: {
      id: "overrideQueueConcurrency",
      summary: "Override a queue's concurrency limits. Deployments do not change them until they are reset",
      body: api.OverrideConcurrencyBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/concurrency/reset": {
    post: {
      id: "resetQueueConcurrency",
      summary: "Restore the concurrency limits that are declared in code",
      body: api.ResetLimitBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/rate-limit/override": {
    post: {
      id: "overrideQueueRateLimit",
      summary: "Override a queue's rate limits. Deployments do not change them until they are reset",
      body: api.OverrideRateLimitBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/rate-limit/reset": {
    post: {
      id: "resetQueueRateLimit",
      summary: "Restore the rate limits that are declared in code",
      body: api.ResetLimitBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/partitions/override": {
    post: {
      id: "overrideQueuePartitions",
      summary:
        "Override the number of objects that a queue's new runs are spread over. Its limits apply to all of them together",
      body: api.OverridePartitionsBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/partitions/reset": {
    post: {
      id: "resetQueuePartitions",
      summary: "Restore the number of partitions that is declared in code",
      body: api.ResetLimitBody,
      response: api.QueueItem,
    },
  },
};
