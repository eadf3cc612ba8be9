import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const BULK_ACTIONS_OPERATIONS: Operations = {
  "/api/v1/bulk-actions": {
    get: {
      id: "listBulkActions",
      summary: "List bulk actions, newest first",
      query: api.ListBulkActionsQuery,
      response: api.ListBulkActionsResponse,
    },
    post: {
      id: "createBulkAction",
      summary: "Cancel or replay many runs, by filter or by their ids",
      body: api.CreateBulkActionBody,
      response: api.BulkActionId,
      status: 202,
    },
  },
  "/api/v1/bulk-actions/{id}": {
    get: {
      id: "retrieveBulkAction",
      summary: "Retrieve a bulk action with its progress",
      response: api.BulkActionResource,
    },
  },
  "/api/v1/bulk-actions/{id}/abort": {
    post: {
      id: "abortBulkAction",
      summary: "Abort a bulk action. Runs that it has not processed are not changed",
      response: api.BulkActionId,
    },
  },
};
