import { ApiPromise } from "./api-promise.ts";
import { type CursorPageBody, type CursorPageParams, CursorPagePromise } from "./cursor-page.ts";
import { type ApiResponse, request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

const PATH = "/api/v1/waitpoints/tokens";

export type WaitpointTokenStatus = "WAITING" | "COMPLETED" | "TIMED_OUT";

export interface CreateWaitpointTokenOptions {
  /**
   * A second call with the same key returns the same token, even if that is already completed or timed out.
   */
  idempotencyKey?: string;
  /** How long the key is valid: `"1h"`, `"7d"`. Default: 30 days. */
  idempotencyKeyTTL?: string;
  /**
   * When the token times out: after `"30s"`, `"1m"`, `"2h"`, `"3d"` or `"4w"`, or at a date. Default: never.
   */
  timeout?: string | Date;
  /** At most 10, each at most 128 characters. */
  tags?: string | string[];
  /** The question, shown to the person who answers in the dashboard's inbox or through a link. */
  title?: string;
  /** More about the question, as text. */
  description?: string;
  /** A JSON schema of the answer. The inbox shows it as a form, and an answer that doesn't match it is refused. */
  schema?: Record<string, unknown>;
}
export interface CreatedWaitpointToken {
  id: string;
  /** True if the idempotency key returned an earlier token. */
  isCached: boolean;
  /**
   * A POST to this address completes the token with the request's body. Give it to services that call
   * webhooks.
   */
  url: string;
  /** Can complete this token and nothing else, so it can be given to a browser. */
  publicAccessToken: string;
}
export interface WaitpointToken {
  id: string;
  url: string;
  status: WaitpointTokenStatus;
  completedAt?: Date;
  timeoutAt?: Date;
  idempotencyKey?: string;
  idempotencyKeyExpiresAt?: Date;
  tags: string[];
  /** The question. */
  title?: string;
  createdAt: Date;
}
/** A token as the API shows it. */
export interface RetrievedTokenBody extends WaitpointToken {
  output?: string;
  outputType?: string;
  outputIsError?: boolean;
  description?: string;
  schema?: Record<string, unknown>;
  /** Who completed the token. */
  answeredBy?: { type: "user" | "access_token" | "key" | "callback" | "link"; name?: string };
}
export interface ListWaitpointTokensQueryParams extends CursorPageParams {
  status?: WaitpointTokenStatus | WaitpointTokenStatus[];
  idempotencyKey?: string;
  tags?: string | string[];
  /** Created within the last `"1h"`, `"7d"`, … */
  period?: string;
  /** Created at or after this time. A number is milliseconds since the epoch. */
  from?: Date | number;
  /** Created at or before this time. */
  to?: Date | number;
}

export async function postToken(
  options: CreateWaitpointTokenOptions,
  requestOptions?: ApiRequestOptions,
): Promise<ApiResponse<CreatedWaitpointToken>> {
  const { data, response } = await request<Omit<CreatedWaitpointToken, "publicAccessToken">>(
    { method: "POST", path: PATH, body: options },
    requestOptions,
  );
  return { data: { ...data, publicAccessToken: response.headers.get("x-trigger-jwt") ?? "" }, response };
}

export async function getToken(id: string, options?: ApiRequestOptions): Promise<RetrievedTokenBody> {
  const path = `${PATH}/${encodeURIComponent(id)}`;
  return withDates((await request<RetrievedTokenBody>({ method: "GET", path }, options)).data);
}

export function completeToken(
  id: string,
  data: unknown,
  options?: ApiRequestOptions,
): ApiPromise<{ success: true }> {
  const path = `${PATH}/${encodeURIComponent(id)}/complete`;
  return new ApiPromise(request<{ success: true }>({ method: "POST", path, body: { data } }, options));
}

export function listTokenPages(
  params: ListWaitpointTokensQueryParams,
  options?: ApiRequestOptions,
): CursorPagePromise<WaitpointToken> {
  const fetchPage = (page: CursorPageParams) => listTokenPages({ ...params, ...page }, options);
  return new CursorPagePromise(fetchTokenPage(params, options), fetchPage);
}

async function fetchTokenPage(
  params: ListWaitpointTokensQueryParams,
  options: ApiRequestOptions | undefined,
): Promise<ApiResponse<CursorPageBody<WaitpointToken>>> {
  const query = tokenListQuery(params).toString();
  const call = { method: "GET", path: query ? `${PATH}?${query}` : PATH } as const;
  const { data, response } = await request<CursorPageBody<WaitpointToken>>(call, options);
  return { data: { ...data, data: data.data.map(withDates) }, response };
}

const milliseconds = (date: Date | number): string => String(date instanceof Date ? date.getTime() : date);

function tokenListQuery(params: ListWaitpointTokensQueryParams): URLSearchParams {
  const query = new URLSearchParams();
  const set = (name: string, value: string | undefined) => {
    if (value) query.set(name, value);
  };
  set("filter[status]", params.status && [params.status].flat().join(","));
  set("filter[idempotencyKey]", params.idempotencyKey);
  set("filter[tags]", params.tags && [params.tags].flat().join(","));
  set("filter[createdAt][period]", params.period);
  if (params.from) set("filter[createdAt][from]", milliseconds(params.from));
  if (params.to) set("filter[createdAt][to]", milliseconds(params.to));
  if (params.limit) set("page[size]", String(params.limit));
  set("page[after]", params.after);
  set("page[before]", params.before);
  return query;
}

function withDates<T extends WaitpointToken>(token: T): T {
  const copy = { ...token } as Record<string, unknown>;
  for (const field of ["completedAt", "timeoutAt", "idempotencyKeyExpiresAt", "createdAt"]) {
    const value = copy[field];
    copy[field] = typeof value === "string" ? new Date(value) : undefined;
  }
  return copy as T;
}
