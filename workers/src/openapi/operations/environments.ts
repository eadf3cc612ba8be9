import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const ENVIRONMENTS_OPERATIONS: Operations = {
  "/api/v1/projects/{ref}/{env}": {
    get: {
      id: "getEnvironment",
      summary: "Retrieve an environment and its limits",
      response: api.EnvironmentResponse,
    },
  },
  "/api/v1/projects/{ref}/{env}/pause": {
    post: {
      id: "pauseEnvironment",
      summary: "Pause an environment: executing runs continue, no more are started",
      response: api.EnvironmentResponse,
    },
  },
  "/api/v1/projects/{ref}/{env}/resume": {
    post: {
      id: "resumeEnvironment",
      summary: "Resume an environment",
      response: api.EnvironmentResponse,
    },
  },
  "/api/v1/projects/{ref}/{env}/limits": {
    put: {
      id: "changeEnvironmentLimits",
      summary:
        "Change an environment's limits, up to the organization's ceiling. Absent fields keep their values",
      body: api.EnvironmentLimitsBody,
      response: api.EnvironmentResponse,
    },
  },
};
