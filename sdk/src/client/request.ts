import { nextRetryDelay } from "../retry-delay.ts";
import { currentRun } from "../state.ts";
import {
  ApiConnectionError,
  ApiConnectionTimeoutError,
  ApiError,
  millisecondsUntilReset,
  type ResponseHeaders,
} from "./api-errors.ts";
import { type ApiClientSettings, resolveSettings } from "./configuration.ts";
import type { ApiRequestOptions } from "./request-options.ts";

/** A call of the API before server and key are known. */
export interface ApiCall {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** With query string, without the server. */
  path: string;
  body?: unknown;
}
export interface ApiResponse<T> {
  data: T;
  response: Response;
}

const TIMEOUT_MS = 60_000;
const RETRY = { maxAttempts: 3, factor: 2, minTimeoutInMs: 1_000, maxTimeoutInMs: 60_000, randomize: false };
/** Of API behaviour that changed over time, this is the version wanted. */
const API_VERSION = "2025-07-16";

/**
 * Calls the API, with retries on connection errors, 408, 409, 429 (as late as the server asks) and 5xx. All attempts carry
 * the same `x-trigger-request-idempotency-key`, so a retry of a call that did arrive does nothing twice.
 * @throws ApiClientMissingError, ApiError or a subclass; the signal's reason when it is aborted
 */
export async function request<T>(call: ApiCall, options: ApiRequestOptions = {}): Promise<ApiResponse<T>> {
  const settings = resolveSettings(options.clientConfig);
  const merged = { ...settings.requestOptions, ...options };
  const retry = { ...RETRY, ...settings.requestOptions?.retry, ...options.retry };
  const headers = headersFor(settings, {
    ...settings.requestOptions?.additionalHeaders,
    ...options.additionalHeaders,
  });
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  const url = settings.baseURL + call.path;
  for (let attempt = 1; ; attempt++) {
    merged.signal?.throwIfAborted();
    const result = await once(url, { method: call.method, headers, body }, merged);
    if (result instanceof Response && result.ok) {
      return { data: await readJson<T>(result, call, url), response: result };
    }
    let wait: number | undefined;
    let error: ApiError;
    if (result instanceof Response) {
      const responseHeaders = headersOf(result);
      if (shouldRetry(result.status, responseHeaders))
        wait = retryDelay(retry, attempt, result.status, responseHeaders);
      // The body is read also of an answer that is retried, or its connection could not be used again.
      error = await errorOf(result, responseHeaders);
    } else {
      error = result;
      wait = nextRetryDelay(retry, attempt);
    }
    if (wait === undefined) throw error;
    await sleep(wait, merged.signal);
  }
}

function headersFor(settings: ApiClientSettings, additional: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    authorization: `Bearer ${settings.accessToken}`,
    "x-trigger-source": "sdk",
    "x-trigger-api-version": API_VERSION,
    "x-trigger-request-idempotency-key": crypto.randomUUID(),
  };
  if (settings.previewBranch) headers["x-trigger-branch"] = settings.previewBranch;
  if (currentRun()) headers["x-trigger-worker"] = "true";
  if (typeof (globalThis as { window?: { document?: unknown } }).window?.document !== "undefined") {
    headers["x-trigger-client"] = "browser";
  }
  for (const [name, value] of Object.entries(additional)) headers[name.toLowerCase()] = value;
  return headers;
}

/** One attempt: the answer, or why there is none. */
async function once(
  url: string,
  init: RequestInit,
  options: ApiRequestOptions,
): Promise<Response | ApiConnectionError> {
  const timeoutMs = options.timeoutInMs ?? TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  try {
    return await fetch(url, { ...init, signal });
  } catch (cause) {
    if (options.signal?.aborted) throw options.signal.reason;
    const { origin } = new URL(url);
    if (timeout.aborted) {
      return new ApiConnectionTimeoutError({
        message: `${origin} did not answer within ${timeoutMs} ms`,
        cause,
      });
    }
    return new ApiConnectionError({
      message: `Connection error: ${origin} could not be reached (${reasonOf(cause)})`,
      cause,
    });
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause as { code?: string; message?: string } | undefined;
  return inner?.code ?? inner?.message ?? cause.message;
}

function shouldRetry(status: number, headers: ResponseHeaders): boolean {
  if (headers["x-should-retry"] === "true") return true;
  if (headers["x-should-retry"] === "false") return false;
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

function retryDelay(
  retry: typeof RETRY,
  attempt: number,
  status: number,
  headers: ResponseHeaders,
): number | undefined {
  const delay = nextRetryDelay(retry, attempt);
  if (delay === undefined || (status !== 429 && status !== 503)) return delay;
  const asked = millisecondsUntilReset(headers, Date.now());
  // Jitter, so that many clients don't all come back in the same moment.
  return asked === undefined ? delay : asked + Math.floor(Math.random() * 1_000);
}

async function errorOf(response: Response, headers: ResponseHeaders): Promise<ApiError> {
  const text = await response.text().catch((error: unknown) => String(error));
  try {
    return ApiError.generate(response.status, JSON.parse(text), undefined, headers);
  } catch {
    return ApiError.generate(response.status, undefined, text, headers);
  }
}

async function readJson<T>(response: Response, call: ApiCall, url: string): Promise<T> {
  const text = await response.text();
  try {
    return (text === "" ? undefined : JSON.parse(text)) as T;
  } catch (cause) {
    throw new ApiConnectionError({
      message: `${call.method} ${url} answered ${response.status} with something that is not JSON: is this the API's address?`,
      cause,
    });
  }
}

const headersOf = (response: Response): ResponseHeaders => Object.fromEntries(response.headers.entries());

/** Resolves after `ms`; rejects with the signal's reason as soon as that is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
