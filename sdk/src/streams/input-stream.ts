import { sendInput } from "../client/input-streams-api.ts";
import { request } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { currentRun, type RunScope } from "../run/state.ts";
import { callSite, durableScope, waitScope } from "../wait/durable.ts";
import { errorOf, failedCall, readValue, recordedValue } from "../wait/operation-errors.ts";
import { ManualWaitpointPromise, WaitpointTimeoutError, type WaitpointTokenResult } from "../wait/wait.ts";
import { type InputRecord, inputTail } from "./input-tail.ts";

/** No value came within the time that `once` was given. */
export class InputStreamTimeoutError extends Error {
  readonly streamId: string;
  readonly timeoutMs: number;

  constructor(streamId: string, timeoutMs: number) {
    super(`No value of input stream ${streamId} arrived within ${timeoutMs} ms`);
    this.name = "InputStreamTimeoutError";
    this.streamId = streamId;
    this.timeoutMs = timeoutMs;
  }
}

export interface InputStreamOnceOptions {
  /**
   * After this long without a value, the result is an InputStreamTimeoutError. Default: it waits until the
   * run ends.
   */
  timeoutMs?: number;
  /** Rejects the promise. */
  signal?: AbortSignal;
}

export interface InputStreamWaitOptions {
  /** The maximum time to wait: `"1h"`. Default: no limit. */
  timeout?: string;
  /** Tags of the token that the run waits for. */
  tags?: string[];
}

export interface InputStreamIdleOptions extends InputStreamWaitOptions {
  /** How long the process waits before the run is suspended. */
  idleTimeoutInSeconds: number;
  /** Called before the run is suspended, and when it resumes with a value. */
  onSuspend?: () => void | Promise<void>;
  onResume?: () => void | Promise<void>;
  /** True: the result is a timeout instead of a suspension. */
  skipSuspend?: boolean;
}

/** Values that others send to a running task: `approval.send(runId, …)` from anywhere, `await approval.wait()` in it. */
export interface InputStream<T> {
  readonly id: string;
  /** @throws NotFoundError; BadRequestError if the run is finished */
  send(
    runId: string,
    value: T,
    options?: ApiRequestOptions & { requestOptions?: ApiRequestOptions },
  ): Promise<void>;
  /**
   * Returns the next value that the run has not received. While it waits, the run is suspended and holds no
   * slot.
   */
  wait(options?: InputStreamWaitOptions): ManualWaitpointPromise<T>;
  /**
   * Returns the next value. The process stays alive while it waits; with `wait`, the run is suspended. `await
   * answer.once().unwrap()` returns the value.
   */
  once(options?: InputStreamOnceOptions): ManualWaitpointPromise<T>;
  /** Waits in the process for a while, then suspends the run. */
  waitWithIdleTimeout(options: InputStreamIdleOptions): Promise<WaitpointTokenResult<T>>;
  /**
   * Calls `handler` with each value that nothing has consumed, in order, while the run executes. A run that
   * is resumed by replay calls `on` again, and gets those values again.
   */
  on(handler: (value: T) => unknown): { off(): void };
  /** Returns the first value that arrived while `on` or `once` listened and that nothing has consumed. */
  peek(): T | undefined;
}

export function inputStream<T>({ id }: { id: string }): InputStream<T> {
  const wait = (options: InputStreamWaitOptions = {}): ManualWaitpointPromise<T> =>
    new ManualWaitpointPromise(waitForInput<T>(id, options, callSite(wait)));
  const once = (options: InputStreamOnceOptions = {}): ManualWaitpointPromise<T> =>
    new ManualWaitpointPromise(nextInput<T>(id, options, callSite(once)));
  return {
    id,
    send: (runId, value, { requestOptions, ...options } = {}) =>
      sendInput(runId, id, value, { ...options, ...requestOptions }),
    wait,
    once,
    async waitWithIdleTimeout({ idleTimeoutInSeconds, onSuspend, onResume, skipSuspend, ...options }) {
      if (idleTimeoutInSeconds > 0) {
        const warm = await once({ timeoutMs: idleTimeoutInSeconds * 1_000 });
        if (warm.ok) return warm;
      }
      if (skipSuspend) {
        const error = new WaitpointTimeoutError(
          "No value arrived in time, and the option skipSuspend forbids suspending the run",
        );
        return { ok: false, error };
      }
      await onSuspend?.();
      const result = await wait(options);
      if (result.ok) await onResume?.();
      return result;
    },
    on(handler) {
      const tail = inputTail(runFor("input.on()"), id);
      return { off: tail.on(({ data }) => handler(JSON.parse(data) as T)) };
    },
    peek() {
      const first = inputTail(runFor("input.peek()"), id).first;
      return first && (JSON.parse(first.data) as T);
    },
  };
}

function runFor(what: string): RunScope {
  const run = currentRun();
  if (!run) throw new Error(`${what} can only be used inside a run`);
  return run;
}

async function waitForInput<T>(
  id: string,
  { timeout, tags }: InputStreamWaitOptions,
  site: string | undefined,
): Promise<WaitpointTokenResult<T>> {
  const { run, scope } = waitScope("input.wait()");
  const tail = inputTail(run, id);
  return scope.operation<WaitpointTokenResult<T>>({
    kind: "token",
    name: `input ${id}`,
    site,
    start: async ({ target }) => {
      if (target) return { target };
      const body = { streamId: id, lastSeqNum: tail.position, timeout, tags };
      const path = `/api/v1/runs/${encodeURIComponent(run.ctx.run.id)}/input-streams/wait`;
      const { data } = await request<{ waitpointId: string }>({ method: "POST", path, body });
      return { target: data.waitpointId };
    },
    wait: ({ target }) => ({ type: "token", token: target ?? "" }),
    read: (result) => {
      if (!result.ok) return { ok: false, error: errorOf(result.error) as Error };
      const { seq, data } = readValue<InputRecord>(result);
      tail.had(seq);
      return { ok: true, output: JSON.parse(data) as T };
    },
  });
}

/** Recorded, so that a replay of the run gets the same value, or again none. */
async function nextInput<T>(
  id: string,
  options: InputStreamOnceOptions,
  site: string | undefined,
): Promise<WaitpointTokenResult<T>> {
  const tail = inputTail(runFor("input.once()"), id);
  const found = durableScope();
  const read = (record: InputRecord | null): WaitpointTokenResult<T> => {
    if (!record) return { ok: false, error: new InputStreamTimeoutError(id, options.timeoutMs ?? 0) };
    tail.had(record.seq);
    return { ok: true, output: JSON.parse(record.data) as T };
  };
  const next = () =>
    new Promise<InputRecord | null>((resolve, reject) => {
      const { signal, timeoutMs } = options;
      signal?.throwIfAborted();
      const timer =
        timeoutMs === undefined ? undefined : setTimeout(() => ended(() => resolve(null)), timeoutMs);
      const end = tail.once((record) => ended(() => resolve(record)));
      const aborted = () => ended(() => reject(signal?.reason));
      signal?.addEventListener("abort", aborted, { once: true });
      const ended = (settle: () => void): void => {
        clearTimeout(timer);
        end();
        signal?.removeEventListener("abort", aborted);
        settle();
      };
    });
  if (!found) return read(await next());
  return found.scope.operation<WaitpointTokenResult<T>>({
    kind: "step",
    name: `input ${id}`,
    site,
    durable: true,
    start: async () => {
      try {
        return { result: recordedValue(await next()) };
      } catch (error) {
        return { result: failedCall(error) };
      }
    },
    read: (result) => read(readValue<InputRecord | null>(result)),
  });
}
