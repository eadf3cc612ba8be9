import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const METRICS_OPERATIONS: Operations = {
  "/api/v1/metrics/runs": {
    get: {
      id: "getRunMetrics",
      summary:
        "Runs over time: states, throughput, durations, queue delays, runs in progress and cost, in all or by task, queue or machine",
      query: api.MetricsQuery,
      response: api.MetricsResponse,
    },
  },
  "/api/v1/usage": {
    get: {
      id: "getUsage",
      summary: "Usage and cost of an environment's runs, by machine, day and task",
      query: api.UsageQuery,
      response: api.UsageResponse,
    },
  },
  "/api/v1/organizations/{organization}/usage": {
    get: {
      id: "getOrganizationUsage",
      summary: "Usage and cost of an organization's runs, by machine, day and environment",
      query: api.UsageQuery,
      response: api.OrganizationUsageResponse,
    },
  },
};
