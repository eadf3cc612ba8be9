import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const CONCURRENCY_LIMITS_OPERATIONS: Operations = {
  "/api/v1/concurrency-limits": {
    get: {
      id: "listConcurrencyLimits",
      summary: "List the concurrency limits that tasks share, by name",
      query: api.ListConcurrencyLimitsQuery,
      response: api.ListConcurrencyLimitsResponse,
    },
  },
  "/api/v1/concurrency-limits/{name}": {
    get: {
      id: "retrieveConcurrencyLimit",
      summary: "Retrieve a concurrency limit; with `?concurrencyKey=KEY`, its bound for that key",
      query: api.RetrieveConcurrencyLimitQuery,
      response: api.ConcurrencyLimitAnswer,
    },
  },
  "/api/v1/concurrency-limits/{name}/override": {
    post: {
      id: "overrideConcurrencyLimit",
      summary:
        "Override bounds of a concurrency limit, which deployments then do not change; or, for a while, the bound of one key",
      body: api.OverrideConcurrencyLimitBody,
      response: api.ConcurrencyLimitAnswer,
    },
  },
  "/api/v1/concurrency-limits/{name}/pause": {
    post: {
      id: "pauseConcurrencyLimit",
      summary:
        "Pause a concurrency limit (executing runs continue, no more runs with it are started), or resume it",
      body: api.PauseConcurrencyLimitBody,
      response: api.ConcurrencyLimitItem,
    },
  },
  "/api/v1/concurrency-limits/{name}/reset": {
    post: {
      id: "resetConcurrencyLimit",
      summary: "Restore a concurrency limit to what code declares, or end the override of one key",
      body: api.ResetConcurrencyLimitBody,
      optionalBody: true,
      response: api.ConcurrencyLimitAnswer,
    },
  },
};
