import { ApiPromise } from "./api-promise.ts";
import { OffsetLimitPagePromise, type OffsetPageBody } from "./offset-page.ts";
import { type ApiResponse, request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

const PATH = "/api/v1/concurrency-limits";

/**
 * A bound of a limit: the effective value, the one declared in code (`base`), and the one set through the
 * API. Null: no bound.
 */
export interface ConcurrencyLimitBound {
  current: number | null;
  base: number | null;
  override: number | null;
  overriddenAt: Date | null;
}

export interface ConcurrencyLimitItem {
  id: string;
  name: string;
  /** Limit per concurrency key. Runs without a key count as runs of one key. */
  perKey: ConcurrencyLimitBound;
  /** Limit for all runs that hold it together. */
  total: ConcurrencyLimitBound;
  /** How many runs hold a slot of the limit. */
  running: number;
  /** How many runs in their queues will need a slot of the limit. */
  queued: number;
  paused: boolean;
}

/** The bound of a limit for one concurrency key. */
export interface ConcurrencyLimitKeyItem {
  name: string;
  concurrencyKey: string;
  perKey: { current: number | null; base: number | null; override: number | null; expiresAt: Date | null };
  running: number;
  paused: boolean;
}

export interface ListConcurrencyLimitOptions {
  /** From 1. */
  page?: number;
  /** Default 25, at most 100. */
  perPage?: number;
}

export function listLimitPages(
  params: ListConcurrencyLimitOptions,
  options?: ApiRequestOptions,
): OffsetLimitPagePromise<ConcurrencyLimitItem> {
  const fetchPage = (page: number) => listLimitPages({ ...params, page }, options);
  return new OffsetLimitPagePromise(fetchLimitPage(params, options), fetchPage);
}

async function fetchLimitPage(
  { page, perPage }: ListConcurrencyLimitOptions,
  options: ApiRequestOptions | undefined,
): Promise<ApiResponse<OffsetPageBody<ConcurrencyLimitItem>>> {
  const query = new URLSearchParams();
  if (page !== undefined) query.set("page", String(page));
  if (perPage !== undefined) query.set("perPage", String(perPage));
  const path = query.size > 0 ? `${PATH}?${query}` : PATH;
  const { data, response } = await request<OffsetPageBody<ConcurrencyLimitItem>>(
    { method: "GET", path },
    options,
  );
  return { data: { ...data, data: data.data.map(withDates) }, response };
}

type Item = ConcurrencyLimitItem | ConcurrencyLimitKeyItem;

export function getLimit<T extends Item>(
  name: string,
  concurrencyKey: string | undefined,
  options?: ApiRequestOptions,
): ApiPromise<T> {
  const query = concurrencyKey === undefined ? "" : `?${new URLSearchParams({ concurrencyKey })}`;
  return item(request<T>({ method: "GET", path: `${PATH}/${encodeURIComponent(name)}${query}` }, options));
}

/** Changes a limit. `action` is the end of the path. */
export function postLimit<T extends Item>(
  name: string,
  action: "override" | "pause" | "reset",
  body: object,
  options?: ApiRequestOptions,
): ApiPromise<T> {
  const path = `${PATH}/${encodeURIComponent(name)}/${action}`;
  return item(request<T>({ method: "POST", path, body }, options));
}

const item = <T extends Item>(response: Promise<ApiResponse<T>>): ApiPromise<T> =>
  new ApiPromise(response.then(({ data, response: raw }) => ({ data: withDates(data), response: raw })));

/** JSON has no dates. */
function withDates<T extends Item>(limit: T): T {
  const date = (text: unknown) => (typeof text === "string" ? new Date(text) : null);
  if ("concurrencyKey" in limit)
    return { ...limit, perKey: { ...limit.perKey, expiresAt: date(limit.perKey.expiresAt) } };
  const bound = (of: ConcurrencyLimitBound) => ({ ...of, overriddenAt: date(of.overriddenAt) });
  return { ...limit, perKey: bound(limit.perKey), total: bound((limit as ConcurrencyLimitItem).total) };
}
