import type { WorkerManifest } from "@acme/sdk/contract";
import {
  type BuildLogBody,
  DeploymentBody,
  type FinalizeDeploymentBody,
  type InitializeDeploymentBody,
  UploadedBundle,
} from "@acme/sdk/contract/api";
import { z } from "zod";
import { call } from "./call.ts";

export interface ProjectApi {
  uploadBundle(contentHash: string, code: Uint8Array): Promise<void>;
  createDeployment(body: {
    contentHash: string;
    manifest: WorkerManifest;
    promote: boolean;
  }): Promise<DeploymentBody>;
  promote(version: string): Promise<DeploymentBody>;
  /** Creates a deployment whose image is built afterwards. */
  initializeDeployment(body: z.input<typeof InitializeDeploymentBody>): Promise<DeploymentBody>;
  /** Ends its build successfully: the image has this digest. */
  finalizeDeployment(id: string, body: z.input<typeof FinalizeDeploymentBody>): Promise<DeploymentBody>;
  /** Ends its build as failed. */
  failDeployment(id: string, message: string): Promise<void>;
  appendBuildLog(id: string, body: z.input<typeof BuildLogBody>): Promise<void>;
  /** Lists deployments, newest first. */
  deployments(): Promise<DeploymentBody[]>;
}

const Deployments = z.object({ data: z.array(DeploymentBody) });

/** The API of one environment of a project, with a personal access token. Its errors say what to do. */
export function projectApi(
  { apiUrl, accessToken }: { apiUrl: string; accessToken: string },
  projectRef: string,
  environment: string,
): ProjectApi {
  const access = { apiUrl, token: accessToken, environment: `${projectRef}/${environment}` };
  const base = `/api/v1/projects/${encodeURIComponent(projectRef)}/${encodeURIComponent(environment)}`;
  return {
    async uploadBundle(contentHash, code) {
      await call(access, UploadedBundle, "PUT", `${base}/bundles/${contentHash}`, code);
    },
    createDeployment: (body) => call(access, DeploymentBody, "POST", `${base}/deployments`, body),
    promote: (version) =>
      call(access, DeploymentBody, "POST", `${base}/deployments/${encodeURIComponent(version)}/promote`),
    initializeDeployment: (body) => call(access, DeploymentBody, "POST", "/api/v1/deployments", body),
    finalizeDeployment: (id, body) =>
      call(access, DeploymentBody, "POST", `/api/v3/deployments/${id}/finalize`, body),
    async failDeployment(id, message) {
      await call(access, DeploymentBody, "POST", `/api/v1/deployments/${id}/fail`, { error: { message } });
    },
    async appendBuildLog(id, body) {
      await call(access, z.unknown(), "POST", `/api/v1/deployments/${id}/build-log`, body);
    },
    deployments: async () => (await call(access, Deployments, "GET", `${base}/deployments`)).data,
  };
}
