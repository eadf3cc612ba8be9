import { HostDeployment } from "@acme/sdk/contract";
import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const DEPLOYMENTS_OPERATIONS: Operations = {
  "/api/v1/deployments": {
    get: {
      id: "pageDeployments",
      summary: "List the environment's deployments, newest first, page by page",
      query: api.PageDeploymentsQuery,
      response: api.PageDeploymentsResponse,
    },
    post: {
      id: "initializeDeployment",
      summary: "Begin a deployment whose image is built next, from an uploaded bundle",
      body: api.InitializeDeploymentBody,
      response: api.DeploymentBody,
      status: 201,
    },
  },
  "/api/v3/deployments/{id}/finalize": {
    post: {
      id: "finalizeDeployment",
      summary: "End a deployment's build: its image exists under this digest, and new runs start on it",
      body: api.FinalizeDeploymentBody,
      response: api.DeploymentBody,
    },
  },
  "/api/v1/deployments/{id}/fail": {
    post: {
      id: "failDeployment",
      summary: "End a deployment's build: it failed",
      body: api.FailDeploymentBody,
      response: api.DeploymentBody,
    },
  },
  "/api/v1/deployments/{id}/build-log": {
    get: {
      id: "listBuildLog",
      summary: "Retrieve the log of a deployment's build",
      response: api.BuildLogResponse,
    },
    post: {
      id: "appendBuildLog",
      summary: "Append lines to the log of a deployment's build. A batch that is sent again is stored once",
      body: api.BuildLogBody,
      status: 204,
    },
  },
  "/api/v1/deployments/current": {
    get: {
      id: "retrieveCurrentDeployment",
      summary: "Retrieve the deployment that new runs start on",
      response: api.DeploymentListItem,
    },
  },
  "/api/v1/projects/{ref}/{env}/bundles/{contentHash}": {
    put: {
      id: "uploadBundle",
      summary: "Upload a bundle (an ES module)",
      bytes: "application/javascript",
      response: api.UploadedBundle,
    },
  },
  "/api/v1/projects/{ref}/{env}/deployments": {
    get: {
      id: "listDeployments",
      summary: "List deployments, newest first",
      response: api.ListDeploymentsResponse,
    },
    post: {
      id: "createDeployment",
      summary: "Create a deployment of an uploaded bundle",
      body: api.CreateDeploymentBody,
      response: api.DeploymentBody,
      status: 201,
    },
  },
  "/api/v1/projects/{ref}/{env}/deployments/{version}": {
    get: {
      id: "retrieveDeployment",
      summary: "Retrieve a deployment with its manifest: what its tasks, queues and schedules declare",
      response: api.RetrieveDeploymentResponse,
    },
  },
  "/api/v1/projects/{ref}/{env}/deployments/{version}/promote": {
    post: {
      id: "promoteDeployment",
      summary: "Send new runs to a deployment",
      response: api.DeploymentBody,
    },
  },
  "/engine/v1/worker-actions/deployments/{id}": {
    get: {
      id: "getHostDeployment",
      summary: "Retrieve what a container host needs to run a deployment",
      response: HostDeployment,
    },
  },
  "/engine/v1/worker-actions/deployments/{id}/bundle": {
    get: {
      id: "downloadBundle",
      summary: "Download the bundle of a deployment",
      download: "text/javascript",
    },
  },
};
