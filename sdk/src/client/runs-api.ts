import type { MetadataUpdate } from "../run-metadata.ts";
import { request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

const runPath = (version: string, runId: string, rest = ""): string =>
  `/api/${version}/runs/${encodeURIComponent(runId)}${rest}`;

export async function updateRunMetadata(
  runId: string,
  update: MetadataUpdate,
  options?: ApiRequestOptions,
): Promise<{ metadata: Record<string, unknown> }> {
  const call = { method: "PUT", path: runPath("v1", runId, "/metadata"), body: update } as const;
  return (await request<{ metadata: Record<string, unknown> }>(call, options)).data;
}

export async function getRunMetadata(
  runId: string,
  options?: ApiRequestOptions,
): Promise<{ metadata: Record<string, unknown> }> {
  const call = { method: "GET", path: runPath("v1", runId, "/metadata") } as const;
  return (await request<{ metadata: Record<string, unknown> }>(call, options)).data;
}

export async function addRunTags(
  runId: string,
  tags: string | string[],
  options?: ApiRequestOptions,
): Promise<void> {
  await request({ method: "POST", path: runPath("v1", runId, "/tags"), body: { tags } }, options);
}

export { runPath };
