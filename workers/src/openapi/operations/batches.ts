import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";
import { OPERATION } from "../request-headers.ts";

export const BATCHES_OPERATIONS: Operations = {
  "/api/v3/batches": {
    post: {
      id: "createBatch",
      summary: "Create a batch. Its items are sent next",
      body: api.CreateBatchBody,
      response: api.CreateBatchResponse,
      status: 202,
      headers: OPERATION,
    },
  },
  "/api/v1/batches": {
    get: {
      id: "listBatches",
      summary: "List batches that have runs, newest first",
      query: api.ListBatchesQuery,
      response: api.ListBatchesResponse,
    },
  },
  "/api/v3/batches/{id}/items": {
    post: {
      id: "streamBatchItems",
      summary:
        "Send items of a batch, one JSON object per line. Its runs are created when all items have arrived",
      body: api.BatchItemLine,
      bodyType: "application/x-ndjson",
      response: api.StreamBatchItemsResponse,
    },
  },
  "/api/v2/batches/{id}": {
    get: {
      id: "retrieveBatch",
      summary: "Retrieve a batch",
      response: api.RetrieveBatchResponse,
    },
  },
  "/api/v1/batches/{id}": {
    get: {
      id: "retrieveBatchV1",
      summary: "Retrieve a batch",
      response: api.RetrieveBatchResponse,
    },
  },
  "/api/v1/batches/{id}/results": {
    get: {
      id: "listBatchResults",
      summary: "Results of the items of a batch that have finished, in their order",
      query: api.BatchResultsQuery,
      response: api.BatchResultsResponse,
    },
  },
  "/api/v1/tasks/batch": {
    post: {
      id: "batchTriggerV1",
      summary: "Trigger up to 500 runs in one call, and get their ids",
      body: api.MixedBatchBody,
      response: api.MixedBatchResponse,
    },
  },
  "/api/v2/tasks/batch": {
    post: {
      id: "batchTriggerV2",
      summary: "Trigger up to 500 runs in one call",
      body: api.MixedBatchBody,
      response: api.MixedBatchCountResponse,
      status: 202,
    },
  },
  "/api/v1/tasks/{taskId}/batch": {
    post: {
      id: "batchTriggerTask",
      summary: "Trigger up to 500 runs of one task in one call",
      body: api.TaskBatchBody,
      response: api.TaskBatchResponse,
    },
  },
};
