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
   * Waits with the same key end at the same time, that of the first one, also in other attempts and in other
   * runs of the environment. With a key, a retried attempt does not wait again for time that has passed
   * already.
   */
  idempotencyKey?: string;
  /** How long the key is valid: `"1h"`, `"7d"`. Default: 30 days. */
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

/** The result of waiting for a token. */
export type WaitpointTokenResult<TOutput> = { ok: true; output: TOutput } | { ok: false; error: Error };

/** A token, and the data that it was completed with. */
export interface WaitpointRetrievedToken<TOutput> extends WaitpointToken {
  output?: TOutput;
  /** Set if the token timed out. */
  error?: Error;
}

/** The promise of the data that a token is completed with. */
export class ManualWaitpointPromise<TOutput> extends Promise<WaitpointTokenResult<TOutput>> {
  // `then`, `catch` and `finally` create plain promises, whose values are others.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  constructor(result: Promise<WaitpointTokenResult<TOutput>>) {
    super((resolve, reject) => {
      result.then(resolve, reject);
    });
  }

  /**
   * Returns the data that the token was completed with.
   * @throws WaitpointTimeoutError if the token timed out
   */
  async unwrap(): Promise<TOutput> {
    const result = await this;
    if (result.ok) return result.output;
    throw result.error;
  }
}

/**
 * Suspends the run for a period. Unless the wait is short, the run holds no slot and no process.
 * @throws Error outside of a run, and if the period is not valid
 */
async function waitFor(options: WaitForOptions): Promise<void> {
  const site = callSite(waitFor);
  const until = unrecorded(Date.now) + periodMs(options);
  await waitUntilTime("wait.for()", until, false, options, site);
}

/**
 * Suspends the run until a date. If the date has passed, the run continues at once.
 * @throws Error outside of a run; with `throwIfInThePast`, if the date has passed
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

/** A token that is never completed stores when the first wait with a key ends. */
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

/** Calls the API once per run: a replay gets the recorded answer. */
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

// The contract's value is repeated here, because importing it would load zod.
const TIMEOUT: typeof WAITPOINT_TIMEOUT = "TRIGGER_WAITPOINT_TIMEOUT";

const idOf = (token: string | { id: string }): string => {
  const id = typeof token === "string" ? token : token?.id;
  if (typeof id === "string" && id !== "") return id;
  throw new TypeError("A token is identified by its id or by what wait.createToken() returned");
};

/**
 * Suspends the run until the token is completed or times out. `await wait.forToken<T>(token).unwrap()`
 * returns the data that the token was completed with.
 * @throws in the promise: Error outside of a run, and if there is no such token
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
 * Creates a token that a run can wait for, and that anybody who has it can complete.
 * @throws ApiError or a subclass
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
 * Completes a token: the runs that wait for it resume with `data`. Only the first completion has an effect.
 * @throws ApiError or a subclass
 */
function completeToken<T>(
  token: string | { id: string },
  data: T,
  requestOptions?: ApiRequestOptions,
): Promise<{ success: true }> {
  return postCompletion(idOf(token), data, requestOptions);
}

/**
 * Retrieves a token with its status and the data that it was completed with.
 * @throws NotFoundError if the key's environment has no such token
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

/** Lists tokens, newest first. Await the result for one page, or iterate over all tokens with `for await`. */
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
