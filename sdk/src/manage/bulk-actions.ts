import { ApiPromise } from "../client/api-promise.ts";
import { type CursorPageBody, type CursorPageParams, CursorPagePromise } from "../client/cursor-page.ts";
import { type ApiResponse, request, sleep } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import type { BulkActionResource } from "../contract/api/bulk-actions.ts";
import type { ListRunsQueryParams } from "./run-types.ts";

/** The runs that it is for: those that match a filter, as in `runs.list`, or up to 1,000 by their ids. */
export type BulkActionSelection = { name?: string } & (
  | { filter: Omit<ListRunsQueryParams, keyof CursorPageParams>; runIds?: never }
  | { runIds: string[]; filter?: never }
);

/** A bulk action, and how far it is. */
export type BulkAction = Omit<BulkActionResource, "createdAt" | "completedAt"> & {
  createdAt: Date;
  completedAt?: Date;
};

const PATH = "/api/v1/bulk-actions";
const MAX_POLLS = 500;

const pathOf = (id: string, rest = ""): string => `${PATH}/${encodeURIComponent(id)}${rest}`;

/** Dates are text in JSON. */
const dated = (action: BulkActionResource): BulkAction => ({
  ...action,
  createdAt: new Date(action.createdAt),
  completedAt: action.completedAt ? new Date(action.completedAt) : undefined,
});

const create = (
  action: "cancel" | "replay",
  selection: BulkActionSelection,
  options: ApiRequestOptions | undefined,
): ApiPromise<{ id: string }> =>
  new ApiPromise(
    request<{ id: string }>({ method: "POST", path: PATH, body: { ...selection, action } }, options),
  );

async function fetchOne(id: string, options?: ApiRequestOptions): Promise<ApiResponse<BulkAction>> {
  const { data, response } = await request<BulkActionResource>({ method: "GET", path: pathOf(id) }, options);
  return { data: dated(data), response };
}

async function fetchPage(
  { limit, after, before }: CursorPageParams,
  options: ApiRequestOptions | undefined,
): Promise<ApiResponse<CursorPageBody<BulkAction>>> {
  const query = new URLSearchParams();
  if (limit !== undefined) query.set("page[size]", String(limit));
  if (after) query.set("page[after]", after);
  if (before) query.set("page[before]", before);
  const text = query.toString();
  const call = { method: "GET", path: text ? `${PATH}?${text}` : PATH } as const;
  const { data, response } = await request<CursorPageBody<BulkActionResource>>(call, options);
  return { data: { ...data, data: data.data.map(dated) }, response };
}

/** Lists the bulk actions of the environment, newest first. */
const list = (params: CursorPageParams = {}, options?: ApiRequestOptions): CursorPagePromise<BulkAction> =>
  new CursorPagePromise(fetchPage(params, options), (page) => list({ ...params, ...page }, options));

/** `runs.bulk`: cancels or replays many runs. The server goes through them; `poll` waits until it is done. */
export const bulk = {
  cancel: (selection: BulkActionSelection, options?: ApiRequestOptions): ApiPromise<{ id: string }> =>
    create("cancel", selection, options),
  replay: (
    selection: BulkActionSelection & { targetRegion?: string },
    options?: ApiRequestOptions,
  ): ApiPromise<{ id: string }> => create("replay", selection, options),
  retrieve: (id: string, options?: ApiRequestOptions): ApiPromise<BulkAction> =>
    new ApiPromise(fetchOne(id, options)),
  /** Leaves alone the runs that it has not come to. */
  abort: (id: string, options?: ApiRequestOptions): ApiPromise<{ id: string }> =>
    new ApiPromise(request<{ id: string }>({ method: "POST", path: pathOf(id, "/abort") }, options)),
  list,
  /**
   * Retrieves the bulk action repeatedly until it has ended.
   * @param options.pollIntervalMs milliseconds between two polls; default 1,000
   * @throws Error if it is not over after 500 polls
   */
  poll: async (
    id: string,
    options?: { pollIntervalMs?: number },
    requestOptions?: ApiRequestOptions,
  ): Promise<BulkAction> => {
    for (let polls = 1; ; polls++) {
      const { data } = await fetchOne(id, requestOptions);
      if (data.status !== "PENDING") return data;
      if (polls === MAX_POLLS) throw new Error(`Bulk action ${id} was not over after ${MAX_POLLS} polls`);
      await sleep(options?.pollIntervalMs ?? 1_000, requestOptions?.signal);
    }
  },
};
