import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const SYSTEM_OPERATIONS: Operations = {
  "/healthz": {
    get: {
      id: "checkHealth",
      summary: "Check whether an object and the database answer; 503 if not",
      response: api.HealthResponse,
    },
  },
  "/metrics": {
    get: {
      id: "getServerMetrics",
      summary: "The server's own metrics, in the text format of Prometheus",
      download: "text/plain",
    },
  },
  "/openapi.json": {
    get: { id: "getOpenApi", summary: "This document", download: "application/json" },
  },
};
