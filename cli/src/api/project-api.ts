import type { WorkerManifest } from "@acme/sdk/contract";
import { DeploymentBody, UploadedBundle } from "@acme/sdk/contract/api";
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
  /** Newest first. */
  deployments(): Promise<DeploymentBody[]>;
}

const Deployments = z.object({ data: z.array(DeploymentBody) });

/** The API of one environment of a project, with a personal access token. Its errors say what to do. */
export function projectApi(
  { apiUrl, accessToken }: { apiUrl: string; accessToken: string },
  projectRef: string,
  environment: string,
): ProjectApi {
  const access = { apiUrl, token: accessToken };
  const base = `/api/v1/projects/${encodeURIComponent(projectRef)}/${encodeURIComponent(environment)}`;
  return {
    async uploadBundle(contentHash, code) {
      await call(access, UploadedBundle, "PUT", `${base}/bundles/${contentHash}`, code);
    },
    createDeployment: (body) => call(access, DeploymentBody, "POST", `${base}/deployments`, body),
    promote: (version) =>
      call(access, DeploymentBody, "POST", `${base}/deployments/${encodeURIComponent(version)}/promote`),
    deployments: async () => (await call(access, Deployments, "GET", `${base}/deployments`)).data,
  };
}
