import { sleep } from "../client/request.ts";
import { DEFAULTS } from "../contract/limits.ts";
import type { RetryOptions } from "../contract/manifest.ts";
import { nextRetryDelay } from "../contract/retry-delay.ts";
import { currentRun } from "./state.ts";

export type { RetryOptions };

/**
 * Calls `fn` until it does not throw, at most `maxAttempts` times (default 3), with growing delays between
 * the calls. An AbortTaskRunError ends the attempts at once, and so does the end of the run.
 * @throws what the last call of `fn` threw
 */
async function onThrow<T>(
  fn: (attempt: { attempt: number; maxAttempts: number }) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const settings = { ...DEFAULTS.retry, ...options };
  for (let attempt = 1; ; attempt++) {
    try {
      return await fn({ attempt, maxAttempts: settings.maxAttempts });
    } catch (error) {
      if (error instanceof Error && error.name === "AbortTaskRunError") throw error;
      const delay = nextRetryDelay(settings, attempt);
      if (delay === undefined) throw error;
      await sleep(delay, currentRun()?.signal);
    }
  }
}

/** The format of a rate limit's reset header. */
export type ResetFormat =
  | "unix_timestamp"
  | "unix_timestamp_in_ms"
  | "iso_8601"
  | "iso_8601_duration_openai_variant";

export type FetchRetryStrategy =
  | ({ strategy: "backoff"; bodyFilter?: BodyFilter } & RetryOptions)
  | {
      strategy: "headers";
      /** The header that says when the limit is reset. */
      resetHeader: string;
      /** Default: `unix_timestamp_in_ms`. */
      resetFormat?: ResetFormat;
      limitHeader?: string;
      remainingHeader?: string;
      bodyFilter?: BodyFilter;
    };
/** The response's JSON has these values at these keys. For an array, one of its values. */
interface BodyFilter {
  [key: string]: (string | number | boolean)[] | string | number | boolean | BodyFilter;
}
/**
 * Strategies by status: `"429"`, `"500-599"`, `"5xx"`, `"429,408,5xx"` or `"all"`. The first one that matches
 * is used.
 */
export type FetchRetryByStatusOptions = Record<string, FetchRetryStrategy>;

export interface FetchRetryOptions {
  /** Default: backoff on 408, 409, 429 and 5xx. */
  byStatus?: FetchRetryByStatusOptions;
  /** Default: 3 attempts. */
  connectionError?: RetryOptions;
  /** Default: 3 attempts. */
  timeout?: RetryOptions;
}
export interface RetryFetchInit extends RequestInit {
  retry?: FetchRetryOptions;
  /** How many milliseconds one attempt may take. Default: no limit. */
  timeoutInMs?: number;
}

const MAX_ATTEMPTS = 10;
const BY_STATUS: FetchRetryByStatusOptions = {
  "429,408,409,5xx": { strategy: "backoff", ...DEFAULTS.retry },
};

/**
 * Calls `fetch` and retries by the response's status, on connection errors and on timeouts.
 * @returns the last response, even if its status is an error
 * @throws what the last `fetch` threw
 */
async function retryFetch(input: RequestInfo | URL, init: RetryFetchInit = {}): Promise<Response> {
  const { retry, timeoutInMs, ...rest } = init;
  for (let attempt = 1; ; attempt++) {
    const timeout = timeoutInMs ? AbortSignal.timeout(timeoutInMs) : undefined;
    const signals = [rest.signal, timeout].filter((signal) => signal !== null && signal !== undefined);
    const headers = new Headers(rest.headers ?? (input instanceof Request ? input.headers : undefined));
    headers.set("x-retry-count", String(attempt));
    let delay: number | undefined;
    try {
      const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
      // A request's body can be read only once, so each attempt gets a copy.
      const response = await fetch(input instanceof Request ? input.clone() : input, {
        ...rest,
        headers,
        signal,
      });
      if (response.ok) return response;
      delay = await delayForResponse(retry?.byStatus ?? BY_STATUS, response, attempt);
      if (delay === undefined || attempt >= MAX_ATTEMPTS) return response;
      await response.body?.cancel();
    } catch (error) {
      if (rest.signal?.aborted) throw error;
      const settings = timeout?.aborted ? retry?.timeout : retry?.connectionError;
      delay = nextRetryDelay(settings ?? {}, attempt);
      if (delay === undefined || attempt >= MAX_ATTEMPTS) throw error;
    }
    await sleep(delay, rest.signal ?? currentRun()?.signal);
  }
}

async function delayForResponse(
  byStatus: FetchRetryByStatusOptions,
  response: Response,
  attempt: number,
): Promise<number | undefined> {
  for (const [range, strategy] of Object.entries(byStatus)) {
    if (!isInRange(response.status, range)) continue;
    if (strategy.bodyFilter && !bodyMatches(await jsonOf(response.clone()), strategy.bodyFilter)) continue;
    if (strategy.strategy === "backoff") return nextRetryDelay(strategy, attempt);
    const header = response.headers.get(strategy.resetHeader);
    return header
      ? delayUntil(header, strategy.resetFormat ?? "unix_timestamp_in_ms", Date.now())
      : undefined;
  }
  return undefined;
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

/**
 * True if a status is in a range: `"200"`, `"500-599"`, `"5xx"`, `"40x"`, `"all"`, or several of these with
 * commas.
 */
export function isInRange(status: number, range: string): boolean {
  if (range === "all") return true;
  if (range.includes(",")) return range.split(",").some((part) => isInRange(status, part.trim()));
  const [from, to] = range.split("-");
  if (to) return status >= Number(from) && status <= Number(to);
  return (
    /^\d+x*$/.test(range) &&
    String(status).length === range.length &&
    String(status).startsWith(range.replaceAll("x", ""))
  );
}

function bodyMatches(body: unknown, filter: BodyFilter): boolean {
  if (typeof body !== "object" || body === null) return false;
  return Object.entries(filter).every(([key, wanted]) => {
    const value = (body as Record<string, unknown>)[key];
    if (Array.isArray(wanted)) return wanted.some((one) => one === value);
    return typeof wanted === "object" ? bodyMatches(value, wanted) : wanted === value;
  });
}

/**
 * Returns the milliseconds until the time in a reset header, or undefined if the header has another format.
 * Never negative.
 */
export function delayUntil(header: string, format: ResetFormat, now: number): number | undefined {
  let at: number;
  if (format === "iso_8601") at = Date.parse(header);
  else if (format === "unix_timestamp") at = Number(header) * 1_000;
  else if (format === "unix_timestamp_in_ms") at = Number(header);
  else {
    // OpenAI writes durations like "6m0s", "1d2h3m4.5s" and "20ms".
    const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/.exec(header);
    if (!match || header === "") return undefined;
    const [days, hours, minutes, seconds, ms] = match.slice(1).map((part) => Number(part ?? 0)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000 + ms;
  }
  return Number.isFinite(at) ? Math.max(0, at - now) : undefined;
}

export const retry = { onThrow, fetch: retryFetch };
