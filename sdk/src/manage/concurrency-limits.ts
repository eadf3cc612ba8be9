import type { ApiPromise } from "../client/api-promise.ts";
import {
  type ConcurrencyLimitItem,
  type ConcurrencyLimitKeyItem,
  getLimit,
  type ListConcurrencyLimitOptions,
  listLimitPages,
  postLimit,
} from "../client/limits-api.ts";
import type { OffsetLimitPagePromise } from "../client/offset-page.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";

/** Names one concurrency key of a limit. */
export interface ConcurrencyLimitKeyOptions {
  concurrencyKey: string;
}

/** Bounds to set. What is left out stays as it is. */
export interface OverrideConcurrencyLimitBounds {
  perKey?: number;
  total?: number;
  concurrencyKey?: never;
  ttl?: never;
}

/** A temporary bound for one key. */
export interface OverrideConcurrencyLimitKey {
  concurrencyKey: string | number;
  perKey: number;
  /** `"7d"` (the default), or a number of seconds; at most 30 days. */
  ttl?: string | number;
  total?: never;
}

const isKey = (options: object | undefined): options is ConcurrencyLimitKeyOptions =>
  options !== undefined && "concurrencyKey" in options;

/** A limit; with a concurrency key, its bound for that key. */
function retrieve(
  name: string,
  key: ConcurrencyLimitKeyOptions,
  requestOptions?: ApiRequestOptions,
): ApiPromise<ConcurrencyLimitKeyItem>;
function retrieve(name: string, requestOptions?: ApiRequestOptions): ApiPromise<ConcurrencyLimitItem>;
function retrieve(
  name: string,
  first?: ConcurrencyLimitKeyOptions | ApiRequestOptions,
  second?: ApiRequestOptions,
): ApiPromise<ConcurrencyLimitItem | ConcurrencyLimitKeyItem> {
  return isKey(first) ? getLimit(name, first.concurrencyKey, second) : getLimit(name, undefined, first);
}

/**
 * Overrides bounds, also after deployments, until they are reset. With a concurrency key, overrides the bound of that key
 * until `ttl` has passed. Executing runs are not stopped; 0 starts no more.
 */
function override(
  name: string,
  bounds: OverrideConcurrencyLimitKey,
  requestOptions?: ApiRequestOptions,
): ApiPromise<ConcurrencyLimitKeyItem>;
function override(
  name: string,
  bounds: OverrideConcurrencyLimitBounds,
  requestOptions?: ApiRequestOptions,
): ApiPromise<ConcurrencyLimitItem>;
function override(
  name: string,
  bounds: OverrideConcurrencyLimitBounds | OverrideConcurrencyLimitKey,
  requestOptions?: ApiRequestOptions,
): ApiPromise<ConcurrencyLimitItem | ConcurrencyLimitKeyItem> {
  return postLimit(name, "override", bounds, requestOptions);
}

/** Restores what is declared in code; with a concurrency key, ends the override of that key only. */
function reset(
  name: string,
  key: ConcurrencyLimitKeyOptions,
  requestOptions?: ApiRequestOptions,
): ApiPromise<ConcurrencyLimitKeyItem>;
function reset(name: string, requestOptions?: ApiRequestOptions): ApiPromise<ConcurrencyLimitItem>;
function reset(
  name: string,
  first?: ConcurrencyLimitKeyOptions | ApiRequestOptions,
  second?: ApiRequestOptions,
): ApiPromise<ConcurrencyLimitItem | ConcurrencyLimitKeyItem> {
  return isKey(first)
    ? postLimit(name, "reset", { concurrencyKey: first.concurrencyKey }, second)
    : postLimit(name, "reset", {}, first);
}

/**
 * Lists, pauses and changes the concurrency limits that tasks share (see `concurrencyLimit()`). Every function throws
 * ApiError or a subclass.
 */
export const concurrencyLimits = {
  /** Lists limits by name. Iterating visits all pages. */
  list: (
    options?: ListConcurrencyLimitOptions,
    requestOptions?: ApiRequestOptions,
  ): OffsetLimitPagePromise<ConcurrencyLimitItem> => listLimitPages(options ?? {}, requestOptions),
  retrieve,
  override,
  reset,
  /** Starts no more runs that hold the limit. Executing runs continue. */
  pause: (name: string, requestOptions?: ApiRequestOptions): ApiPromise<ConcurrencyLimitItem> =>
    postLimit(name, "pause", { action: "pause" }, requestOptions),
  resume: (name: string, requestOptions?: ApiRequestOptions): ApiPromise<ConcurrencyLimitItem> =>
    postLimit(name, "pause", { action: "resume" }, requestOptions),
};
