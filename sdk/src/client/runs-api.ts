import type { ListProjectRunsQueryParams, ListRunResponseItem, QueueTypeName } from "../manage/run-types.ts";
import type { MetadataUpdate } from "../run/run-metadata.ts";
import { type CursorPageBody, type CursorPageParams, CursorPagePromise } from "./cursor-page.ts";
import { decodePacket, JSON_TYPE } from "./packet.ts";
import { type ApiResponse, request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

export const runPath = (version: "v1" | "v2" | "v3", runId: string, rest = ""): string =>
  `/api/${version}/runs/${encodeURIComponent(runId)}${rest}`;

interface Metadata {
  metadata: Record<string, unknown>;
}

export async function updateRunMetadata(
  runId: string,
  update: MetadataUpdate,
  options?: ApiRequestOptions,
): Promise<Metadata> {
  const call = { method: "PUT", path: runPath("v1", runId, "/metadata"), body: update } as const;
  return (await request<Metadata>(call, options)).data;
}

export async function getRunMetadata(runId: string, options?: ApiRequestOptions): Promise<Metadata> {
  return (await request<Metadata>({ method: "GET", path: runPath("v1", runId, "/metadata") }, options)).data;
}

export async function addRunTags(
  runId: string,
  tags: string | string[],
  options?: ApiRequestOptions,
): Promise<void> {
  await request({ method: "POST", path: runPath("v1", runId, "/tags"), body: { tags } }, options);
}

/**
 * Downloads the value of a packet of type `application/store`, whose data is a path in the blob store.
 * @throws ApiError; Error if the download fails
 */
export async function downloadPacket(
  path: string | null | undefined,
  options?: ApiRequestOptions,
): Promise<unknown> {
  const call = { method: "GET", path: `/api/v1/packets/${encodeURIComponent(path ?? "")}` } as const;
  const { data } = await request<{ presignedUrl: string }>(call, options);
  return download(data.presignedUrl, options?.signal);
}

/** Does the same for a run's payload or output. A public token that may read the run is enough. */
export async function downloadRunPacket(
  runId: string,
  field: "payload" | "output",
  options?: ApiRequestOptions,
): Promise<unknown> {
  const call = { method: "GET", path: runPath("v1", runId, `/packets/${field}`) } as const;
  const { data } = await request<{ presignedUrl: string }>(call, options);
  return download(data.presignedUrl, options?.signal);
}

/** Downloads a packet from an address that needs no key, and decodes it by its content type. */
export async function download(url: string, signal: AbortSignal | undefined): Promise<unknown> {
  const response = await fetch(url, { signal });
  if (!response.ok) {
    throw new Error(`A run's data could not be downloaded: ${response.status} ${response.statusText}`);
  }
  const type = (response.headers.get("content-type") ?? JSON_TYPE).split(";")[0]!.trim();
  return decodePacket(await response.text(), type);
}

/** Returns the pages of `path`, with the dates of each item parsed. */
export function listRunPages(
  path: string,
  params: ListProjectRunsQueryParams,
  options?: ApiRequestOptions,
): CursorPagePromise<ListRunResponseItem> {
  const fetchPage = (page: CursorPageParams) => listRunPages(path, { ...params, ...page }, options);
  return new CursorPagePromise(fetchRunPage(path, params, options), fetchPage);
}

async function fetchRunPage(
  path: string,
  params: ListProjectRunsQueryParams,
  options: ApiRequestOptions | undefined,
): Promise<ApiResponse<CursorPageBody<ListRunResponseItem>>> {
  const query = runListQuery(params).toString();
  const call = { method: "GET", path: query ? `${path}?${query}` : path } as const;
  const { data, response } = await request<CursorPageBody<ListRunResponseItem>>(call, options);
  return { data: { ...data, data: data.data.map(withDates) }, response };
}

const list = <T extends string>(value: T | T[]): string => (Array.isArray(value) ? value.join(",") : value);
const queueName = (queue: QueueTypeName): string =>
  queue.type === "task" ? `task/${queue.name}` : queue.name;
const milliseconds = (date: Date | number): string => String(date instanceof Date ? date.getTime() : date);

/** Returns the query string of a list, with the filter names of Trigger.dev's API. */
function runListQuery(params: ListProjectRunsQueryParams): URLSearchParams {
  const query = new URLSearchParams();
  const set = (name: string, value: string | undefined) => {
    if (value) query.set(name, value);
  };
  for (const name of ["status", "taskIdentifier", "version", "tag", "machine", "region", "env"] as const) {
    const value = params[name];
    if (value) set(`filter[${name}]`, list<string>(value));
  }
  set("filter[bulkAction]", params.bulkAction);
  set("filter[schedule]", params.schedule);
  set("filter[batch]", params.batch);
  if (params.isTest !== undefined) set("filter[isTest]", String(params.isTest));
  if (params.from) set("filter[createdAt][from]", milliseconds(params.from));
  if (params.to) set("filter[createdAt][to]", milliseconds(params.to));
  set("filter[createdAt][period]", params.period);
  if (params.queue) set("filter[queue]", [params.queue].flat().map(queueName).join(","));
  if (params.limit) set("page[size]", String(params.limit));
  set("page[after]", params.after);
  set("page[before]", params.before);
  return query;
}

const DATE_FIELDS = [
  "createdAt",
  "updatedAt",
  "startedAt",
  "finishedAt",
  "delayedUntil",
  "expiredAt",
] as const;

/** Turns the named fields into `Date`s, because JSON has no dates. Fields that are null become absent. */
export function withDates<T extends object>(run: T): T {
  const copy = { ...run } as Record<string, unknown>;
  for (const field of DATE_FIELDS) {
    const value = copy[field];
    copy[field] = typeof value === "string" || typeof value === "number" ? new Date(value) : undefined;
  }
  return copy as T;
}
