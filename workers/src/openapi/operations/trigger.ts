import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";
import { OPERATION, REQUEST } from "../request-headers.ts";

export const TRIGGER_OPERATIONS: Operations = {
  "/api/v1/tasks/{taskId}/trigger": {
    post: {
      id: "triggerTask",
      summary: "Trigger a run of a task; `?wait=SECONDS` (up to 60) waits for its result",
      query: api.ResultQuery,
      body: api.TriggerBody,
      response: api.TriggerResponse,
      headers: { ...OPERATION, ...REQUEST },
    },
  },
  "/api/v1/idempotencyKeys/{key}/reset": {
    post: {
      id: "resetIdempotencyKey",
      summary: "Reset an idempotency key",
      body: api.ResetIdempotencyKeyBody,
      response: api.RunIdResponse,
    },
  },
};
