import { ApiPromise } from "../client/api-promise.ts";
import type { CursorPagePromise } from "../client/cursor-page.ts";
import { decodePacket, JSON_TYPE, STORE_TYPE } from "../client/packet.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { downloadPacket } from "../client/runs-api.ts";
import {
  type CreatedWaitpointToken,
  type CreateWaitpointTokenOptions,
  getToken,
  type ListWaitpointTokensQueryParams,
  listTokenPages,
  completeToken as postCompletion,
  postToken,
  type WaitpointToken,
} from "../client/tokens-api.ts";
import type { WAITPOINT_TIMEOUT } from "../contract/api/waitpoints.ts";
import type { OperationResult } from "../contract/journal.ts";
import { DEFAULTS } from "../contract/limits.ts";
import { state } from "../run/state.ts";
import { callSite, durableScope, unrecorded, waitScope } from "./durable.ts";
import { errorOf, failedCall, readValue, recordedValue } from "./operation-errors.ts";
import { periodMs, type WaitPeriod } from "./wait-period.ts";

export interface CommonWaitOptions {
  /**
   * Waits with the same key, also of other attempts and runs of the environment, end at the same time: that of the first.
   * So a retried attempt doesn't wait again for what was waited for before.
   */
  idempotencyKey?: string;
  /** How long the key holds: `"1h"`, `"7d"`. Default: 30 days. */
  idempotencyKeyTTL?: string;
}
export type WaitForOptions = WaitPeriod & CommonWaitOptions;
export type WaitUntilOptions = { date: Date; throwIfInThePast?: boolean } & CommonWaitOptions;

/** Nobody completed a token before its timeout. */
export class WaitpointTimeoutError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WaitpointTimeoutError";
  }
}

/** What became of a token. */
export type WaitpointTokenResult<TOutput> = { ok: true; output: TOutput } | { ok: false; error: Error };

/** A token with what it was completed with. */
export interface WaitpointRetrievedToken<TOutput> extends WaitpointToken {
  output?: TOutput;
  /** It timed out. */
  error?: Error;
}

/** The promise of what a token is completed with. */
export class ManualWaitpointPromise<TOutput> extends Promise<WaitpointTokenResult<TOutput>> {
  // `then` and its kin make plain promises: they are of other values.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  constructor(result: Promise<WaitpointTokenResult<TOutput>>) {
    super((resolve, reject) => {
      result.then(resolve, reject);
    });
  }

  /**
   * What it was completed with.
   * @throws WaitpointTimeoutError
   */
  async unwrap(): Promise<TOutput> {
    const result = await this;
    if (result.ok) return result.output;
    throw result.error;
  }
}

/**
 * Suspends the run for this long: it holds no slot and no process meanwhile, unless the wait is short.
 * @throws Error outside of a run, and for a period that is none
 */
async function waitFor(options: WaitForOptions): Promise<void> {
  const site = callSite(waitFor);
  const until = unrecorded(Date.now) + periodMs(options);
  await waitUntilTime("wait.for()", until, false, options, site);
}

/**
 * Suspends the run until a date; one in the past is over at once.
 * @throws Error outside of a run; with `throwIfInThePast`, for a date in the past
 */
async function waitUntil(options: WaitUntilOptions): Promise<void> {
  const site = callSite(waitUntil);
  const until = options.date instanceof Date ? options.date.getTime() : Number.NaN;
  if (Number.isNaN(until)) throw new Error("wait.until() needs a date: wait.until({ date: new Date(…) })");
  await waitUntilTime("wait.until()", until, options.throwIfInThePast === true, options, site);
}

async function waitUntilTime(
  what: string,
  until: number,
  throwIfInThePast: boolean,
  { idempotencyKey, idempotencyKeyTTL }: CommonWaitOptions,
  site: string | undefined,
): Promise<void> {
  const { scope } = waitScope(what);
  if (idempotencyKey) until = await endOfKey(what, idempotencyKey, idempotencyKeyTTL, until, site);
  const left = until - unrecorded(Date.now);
  await scope.operation<void>({
    kind: "wait",
    name: new Date(until).toISOString(),
    site,
    until: Math.max(0, until),
    start: async ({ known }) => {
      if (left > 0 || known) return {};
      return { result: left < 0 && throwIfInThePast ? IN_THE_PAST : { ok: true } };
    },
    wait: ({ startedAt, until: end = 0 }) =>
      end - startedAt > (state.config.suspendAfterMs ?? DEFAULTS.suspendAfterMs)
        ? { type: "duration", date: new Date(end) }
        : undefined,
    read: (result) => {
      if (!result.ok) throw errorOf(result.error);
    },
  });
}

const IN_THE_PAST: OperationResult = {
  ok: false,
  error: { type: "BUILT_IN_ERROR", name: "Error", message: "Date is in the past", stackTrace: "" },
};

/** A token that nobody completes remembers when the first wait with a key ends. */
async function endOfKey(
  what: string,
  key: string,
  idempotencyKeyTTL: string | undefined,
  until: number,
  site: string | undefined,
): Promise<number> {
  const create = async () => {
    const { data } = await postToken({
      idempotencyKey: `${what} ${key}`,
      idempotencyKeyTTL,
      timeout: new Date(until),
      tags: ["acme:wait"],
    });
    return data.isCached ? ((await getToken(data.id)).timeoutAt?.getTime() ?? until) : until;
  };
  return recorded(`${what} ${key}`, site, create);
}

/** Calls the API once in a run: a replay gets what it answered then. */
function recorded<T>(name: string, site: string | undefined, call: () => Promise<T>): Promise<T> {
  const found = durableScope();
  if (!found) return call();
  return found.scope.operation<T>({
    kind: "step",
    name,
    site,
    durable: true,
    start: async () => {
      try {
        return { result: recordedValue(await call()) };
      } catch (error) {
        return { result: failedCall(error) };
      }
    },
    read: readValue<T>,
  });
}

// The contract's value, spelled out: importing it would load zod.
const TIMEOUT: typeof WAITPOINT_TIMEOUT = "TRIGGER_WAITPOINT_TIMEOUT";

const idOf = (token: string | { id: string }): string => {
  const id = typeof token === "string" ? token : token?.id;
  if (typeof id === "string" && id !== "") return id;
  throw new TypeError("A token is named by its id or by what wait.createToken() returned");
};

/**
 * Suspends the run until somebody completes the token, or it times out. `await wait.forToken<T>(token).unwrap()` gives what
 * it was completed with.
 * @throws in the promise: Error outside of a run, and where there is no such token
 */
function forToken<T>(token: string | { id: string }): ManualWaitpointPromise<T> {
  return new ManualWaitpointPromise(waitForToken<T>(token, callSite(forToken)));
}

async function waitForToken<T>(
  token: string | { id: string },
  site: string | undefined,
): Promise<WaitpointTokenResult<T>> {
  const id = idOf(token);
  const { scope } = waitScope("wait.forToken()");
  return scope.operation<WaitpointTokenResult<T>>({
    kind: "token",
    name: id,
    target: id,
    site,
    wait: () => ({ type: "token", token: id }),
    read: async (result) => {
      if (result.ok) {
        return { ok: true, output: (await decoded(result.output, result.outputType)) as T };
      }
      const error = errorOf(result.error);
      if (!(error instanceof Error) || error.name !== TIMEOUT) throw error;
      return { ok: false, error: new WaitpointTimeoutError(error.message) };
    },
  });
}

async function decoded(data: string | null | undefined, type = JSON_TYPE): Promise<unknown> {
  return type === STORE_TYPE ? downloadPacket(data) : decodePacket(data, type);
}

/**
 * Creates a token that a run can wait for and that anybody who has it can complete.
 * @throws ApiError and its kin
 */
function createToken(
  options: CreateWaitpointTokenOptions = {},
  requestOptions?: ApiRequestOptions,
): ApiPromise<CreatedWaitpointToken> {
  const site = callSite(createToken);
  if (!durableScope()) return new ApiPromise(postToken(options, requestOptions));
  const token = recorded(
    "wait.createToken()",
    site,
    async () => (await postToken(options, requestOptions)).data,
  );
  return new ApiPromise(token.then((data) => ({ data, response: Response.json(data) })));
}

/**
 * Completes a token: runs that wait for it go on with `data`. The first completion stands.
 * @throws ApiError and its kin
 */
function completeToken<T>(
  token: string | { id: string },
  data: T,
  requestOptions?: ApiRequestOptions,
): Promise<{ success: true }> {
  return postCompletion(idOf(token), data, requestOptions);
}

/**
 * A token with its status, and what it was completed with.
 * @throws NotFoundError where the environment of the key has no such token
 */
async function retrieveToken<T>(
  token: string | { id: string },
  requestOptions?: ApiRequestOptions,
): Promise<WaitpointRetrievedToken<T>> {
  const { output, outputType, outputIsError, ...rest } = await getToken(idOf(token), requestOptions);
  const value = await decoded(output, outputType);
  if (!outputIsError) return { ...rest, output: value as T | undefined };
  const message = (value as { message?: unknown } | undefined)?.message;
  return { ...rest, error: new WaitpointTimeoutError(String(message ?? "The token timed out")) };
}

/** Tokens, newest first. Await it for one page, or iterate with `for await` over all of them. */
function listTokens(
  params: ListWaitpointTokensQueryParams = {},
  requestOptions?: ApiRequestOptions,
): CursorPagePromise<WaitpointToken> {
  return listTokenPages(params, requestOptions);
}

export const wait = {
  for: waitFor,
  until: waitUntil,
  forToken,
  createToken,
  completeToken,
  retrieveToken,
  listTokens,
};
