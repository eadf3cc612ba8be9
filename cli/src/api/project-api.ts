import type { WorkerManifest } from "@acme/sdk/contract";
import { DeploymentBody, UploadedBundle } from "@acme/sdk/contract/api";
import { z } from "zod";
import { CliError } from "../errors.ts";
import { causeOf } from "./cause.ts";

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
const Refusal = z.object({ error: z.string() });

/** The API of one environment of a project, with a personal access token. Its errors say what to do. */
export function projectApi(
  access: { apiUrl: string; accessToken: string },
  projectRef: string,
  environment: string,
): ProjectApi {
  const base = `${access.apiUrl}/api/v1/projects/${encodeURIComponent(projectRef)}/${encodeURIComponent(environment)}`;

  async function call<T>(
    schema: z.ZodType<T>,
    method: string,
    path: string,
    body?: Uint8Array | object,
  ): Promise<T> {
    const binary = body instanceof Uint8Array;
    let response: Response;
    let text: string;
    try {
      response = await fetch(base + path, {
        method,
        headers: {
          authorization: `Bearer ${access.accessToken}`,
          ...(body && { "content-type": binary ? "application/javascript" : "application/json" }),
        },
        body: binary ? Uint8Array.from(body) : body && JSON.stringify(body),
      });
      text = await response.text();
    } catch (error) {
      throw new CliError(
        `${access.apiUrl} could not be reached (${causeOf(error)}). Check that the server is running and that ACME_API_URL is correct.`,
      );
    }
    if (!response.ok) throw new CliError(refusalOf(response.status, text, access.apiUrl));
    const parsed = schema.safeParse(jsonOf(text));
    if (parsed.success) return parsed.data;
    throw new CliError(
      `${access.apiUrl} did not answer like an Acme server. Check that ACME_API_URL is correct.`,
    );
  }

  return {
    async uploadBundle(contentHash, code) {
      await call(UploadedBundle, "PUT", `/bundles/${contentHash}`, code);
    },
    createDeployment: (body) => call(DeploymentBody, "POST", "/deployments", body),
    promote: (version) => call(DeploymentBody, "POST", `/deployments/${encodeURIComponent(version)}/promote`),
    deployments: async () => (await call(Deployments, "GET", "/deployments")).data,
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusalOf(status: number, text: string, apiUrl: string): string {
  const refusal = Refusal.safeParse(jsonOf(text));
  if (refusal.success) return `${refusal.data.error} (${status})`;
  return `${apiUrl} answered with status ${status} and without a reason. Check that it is an Acme server. ${text.slice(0, 200)}`.trim();
}
