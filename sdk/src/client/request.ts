import { webCrypto } from "#web-crypto";
import { nextRetryDelay } from "../contract/retry-delay.ts";
import { currentRun } from "../run/state.ts";
import { unrecorded } from "../wait/durable.ts";
import {
  ApiConnectionError,
  ApiConnectionTimeoutError,
  ApiError,
  millisecondsUntilReset,
  type ResponseHeaders,
} from "./api-errors.ts";
import { type ApiClientSettings, resolveSettings } from "./configuration.ts";
import type { ApiRequestOptions } from "./request-options.ts";

/** A call of the API, before the server and the key are known. */
export interface ApiCall {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path and query string, without the server. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as newline-delimited JSON instead. Each line ends with a line feed. */
  lines?: string[];
}
export interface ApiResponse<T> {
  data: T;
  response: Response;
}

const TIMEOUT_MS = 60_000;
const RETRY = { maxAttempts: 3, factor: 2, minTimeoutInMs: 1_000, maxTimeoutInMs: 60_000, randomize: false };
/** The version of the API's behavior that this client expects. */
const API_VERSION = "2025-07-16";

/**
 * Calls the API, and retries on connection errors, 408, 409, 429 (after the time that the server asks for)
 * and 5xx. All attempts carry the same `x-trigger-request-idempotency-key`, so retrying a call that did
 * arrive repeats no effect.
 * @throws ApiClientMissingError; ApiError or a subclass; the signal's reason if it is aborted
 */
export async function request<T>(call: ApiCall, options: ApiRequestOptions = {}): Promise<ApiResponse<T>> {
  const run = currentRun();
  // A run is not suspended during an API call: it does more than wait.
  return run ? run.durable.busy(() => send<T>(call, options)) : send<T>(call, options);
}

async function send<T>(call: ApiCall, options: ApiRequestOptions): Promise<ApiResponse<T>> {
  const settings = resolveSettings(options.clientConfig);
  const merged = { ...settings.requestOptions, ...options };
  const retry = { ...RETRY, ...settings.requestOptions?.retry, ...options.retry };
  const headers = headersFor(settings, {
    "content-type": call.lines ? "application/x-ndjson" : "application/json",
    ...settings.requestOptions?.additionalHeaders,
    ...options.additionalHeaders,
  });
  const body = call.lines?.join("") ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
  const url = settings.baseURL + call.path;
  for (let attempt = 1; ; attempt++) {
    merged.signal?.throwIfAborted();
    const answer = await once(url, { method: call.method, headers, body }, merged);
    if (answer instanceof ApiError) {
      await pause(
        unrecorded(() => nextRetryDelay(retry, attempt)),
        answer,
        merged.signal,
      );
      continue;
    }
    const { response, text } = answer;
    if (response.ok) return { data: parseBody<T>(text, response, call, url), response };
    const responseHeaders = Object.fromEntries(response.headers.entries());
    const again = shouldRetry(response.status, responseHeaders) && !isFinal(text);
    const wait = again
      ? unrecorded(() => retryDelay(retry, attempt, response.status, responseHeaders))
      : undefined;
    await pause(wait, errorOf(response.status, text, responseHeaders), merged.signal);
  }
}

/** Waits until the next attempt. Throws the error if no attempt is left. */
async function pause(
  ms: number | undefined,
  error: ApiError,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (ms === undefined) throw error;
  await sleep(ms, signal);
}

function headersFor(settings: ApiClientSettings, additional: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${settings.accessToken}`,
    "x-trigger-source": "sdk",
    "x-trigger-api-version": API_VERSION,
    "x-trigger-request-idempotency-key": unrecorded(randomId),
  };
  if (settings.previewBranch) headers["x-trigger-branch"] = settings.previewBranch;
  if (currentRun()) headers["x-trigger-worker"] = "true";
  if (typeof (globalThis as { window?: { document?: unknown } }).window?.document !== "undefined") {
    headers["x-trigger-client"] = "browser";
  }
  for (const [name, value] of Object.entries(additional)) headers[name.toLowerCase()] = value;
  return headers;
}

/**
 * Returns a UUID. Pages not loaded over HTTPS have no `randomUUID`: they get the same number of random bits
 * in another form.
 */
const randomId = (): string =>
  webCrypto.randomUUID?.() ??
  webCrypto.getRandomValues(new Uint32Array(4)).reduce((id, part) => id + part.toString(16), "");

/** Makes one attempt. Returns the answer with its body read, or the reason why there is none. */
async function once(
  url: string,
  init: RequestInit,
  options: ApiRequestOptions,
): Promise<{ response: Response; text: string } | ApiConnectionError> {
  const timeoutMs = options.timeoutInMs ?? TIMEOUT_MS;
  const controller = new AbortController();
  const onAbort = () => controller.abort();
  let timedOut = false;
  // The timer of AbortSignal.timeout would outlive the request, and many requests would leave many timers.
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, timeoutMs);
  options.signal?.addEventListener("abort", onAbort);
  try {
    const response = await fetch(url, { ...init, signal: controller.signal });
    return { response, text: await response.text() };
  } catch (cause) {
    options.signal?.throwIfAborted();
    const { origin } = new URL(url);
    const message = timedOut
      ? `${origin} did not answer within ${timeoutMs} ms`
      : `Connection error: ${origin} could not be reached (${reasonOf(cause)})`;
    return new (timedOut ? ApiConnectionTimeoutError : ApiConnectionError)({ message, cause });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause as { code?: string; message?: string } | undefined;
  return inner?.code ?? inner?.message ?? cause.message;
}

/** True for a conflict that no retry resolves: a run would wait for itself. */
const isFinal = (text: string): boolean => text.includes('"waits_on_itself"');

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
  // Jitter keeps many clients from retrying at the same moment.
  return asked === undefined ? delay : asked + Math.floor(Math.random() * 1_000);
}

function errorOf(status: number, text: string, headers: ResponseHeaders): ApiError {
  try {
    return ApiError.generate(status, JSON.parse(text), undefined, headers);
  } catch {
    return ApiError.generate(status, undefined, text, headers);
  }
}

function parseBody<T>(text: string, response: Response, call: ApiCall, url: string): T {
  try {
    return (text === "" ? undefined : JSON.parse(text)) as T;
  } catch (cause) {
    throw new ApiConnectionError({
      message: `${call.method} ${url} answered ${response.status} with a body that is not JSON. Check that this is the address of an Acme server.`,
      cause,
    });
  }
}

/** Resolves after `ms` milliseconds. Rejects with the signal's reason as soon as it is aborted. */
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
