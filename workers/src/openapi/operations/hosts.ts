import {
  DequeueRequest,
  DequeueResponse,
  HostBody,
  ListEnvironmentHostsResponse,
  ListHostsResponse,
  RegisteredHost,
  RegisterHostBody,
  ReportRequest,
  ReportResponse,
} from "@acme/sdk/contract";
import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const HOSTS_OPERATIONS: Operations = {
  "/api/v1/projects/{ref}/{env}/hosts": {
    get: {
      id: "listEnvironmentHosts",
      summary: "List the hosts that execute an environment's runs, with their state",
      response: ListEnvironmentHostsResponse,
    },
  },
  "/engine/v1/hosts": {
    post: {
      id: "registerHost",
      summary: "Register a container host's credential. 409: another has its id; 403: it was revoked",
      body: RegisterHostBody,
      response: RegisteredHost,
    },
  },
  "/engine/v1/worker-actions/dequeue": {
    post: {
      id: "dequeueRuns",
      summary: "A container host asks for runs; the request is held until there are some",
      body: DequeueRequest,
      response: DequeueResponse,
    },
  },
  "/engine/v1/worker-actions/report": {
    post: {
      id: "reportRuns",
      summary: "A container host reports what happened to its runs",
      body: ReportRequest,
      response: ReportResponse,
    },
  },
  "/admin/v1/hosts": {
    get: { id: "listHosts", summary: "List container hosts with their state", response: ListHostsResponse },
  },
  "/admin/v1/hosts/{hostId}": {
    delete: {
      id: "revokeHost",
      summary: "Revoke a container host. Its runs are queued again",
      response: HostBody,
    },
  },
  "/admin/v1/hosts/{hostId}/drain": {
    post: {
      id: "drainHost",
      summary: "Stop giving runs to a container host, whose current runs continue, or start again",
      body: api.DrainHostBody,
      response: HostBody,
    },
  },
};
