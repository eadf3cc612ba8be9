import { fileURLToPath } from "node:url";
import { decodePacket, encodePacket, type Packet, STORE_TYPE } from "../client/packet.ts";
import { downloadPacket, updateRunMetadata } from "../client/runs-api.ts";
import type { AttemptOutcome, DequeuedRun, LogEntry } from "../contract/host-protocol.ts";
import type { OperationResult } from "../contract/journal.ts";
import { DEFAULTS, LIMITS } from "../contract/limits.ts";
import type { TaskRunError } from "../contract/run-errors.ts";
import { MaxDurationExceededError, TaskPayloadParsedError } from "../define/errors.ts";
import type { AnyOnMiddlewareHookFunction, HookFunctions, HookParams } from "../define/hook-types.ts";
import type { Context } from "../run/context.ts";
import { hideFramesFrom, internal, toTaskRunError } from "../run/run-error.ts";
import { notSaved, RunMetadata } from "../run/run-metadata.ts";
import { type RegisteredTask, type RunScope, state } from "../run/state.ts";
import type { Channel } from "./channel.ts";
import { contextOf } from "./context-of-run.ts";
import { Journal } from "./journal.ts";
import { LogBuffer } from "./log-buffer.ts";
import { realNow } from "./real-clock.ts";
import type { Recorder } from "./recorder.ts";
import {
  decideByHook,
  decideBySettings,
  isFinalError,
  type RetryDecision,
  type RetryFacts,
} from "./retry-decision.ts";

hideFramesFrom([import.meta.url, fileURLToPath(import.meta.url)]);

/** How long a task function may take to settle after its signal was aborted because of `maxDuration`. */
const GRACE_MS = 5_000;
/** `timeout.None`, and more than a timer can count. */
const NO_LIMIT_SECONDS = 2_147_483;

/**
 * One attempt of a run: calls middleware, hooks and the task's function, and turns what happens into an
 * outcome.
 */
export class Attempt implements RunScope {
  readonly ctx: Context;
  readonly durable: Journal;
  startedAt = performance.now();
  /** The attempt is over. Code of it that still runs belongs to no run. */
  ended = false;
  /** The attempt is suspended here for good: another process resumes it. */
  forgotten = false;
  /** Set when the process should not be used again: code of this attempt may still be running. */
  exiting = false;
  /** Fences messages about the attempt. Changes when the attempt is resumed after a suspension. */
  token: number;
  readonly #run: DequeuedRun;
  readonly #task: RegisteredTask;
  readonly #logs: LogBuffer;
  readonly #controller = new AbortController();
  readonly pending = new Set<Promise<void>>();
  #locals: Map<symbol, unknown> | undefined;
  #metadata: RunMetadata | undefined;
  #canceled = false;
  #timedOut: MaxDurationExceededError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Rejects what is being awaited: the task's function while that runs, or else the whole attempt. */
  #interrupt: ((error: unknown) => void) | undefined;
  #onCancel: (() => void) | undefined;
  /** The parameters of the hooks that are called while the task's function waits. */
  #hookParams: (HookParams & { init?: object }) | undefined;
  /** `performance.now()` at its suspension. */
  #frozenAt: number | undefined;
  #frozenWaits: number[] | undefined;
  /** Milliseconds that were recorded with earlier suspensions. */
  #recordedMs: number;

  constructor(run: DequeuedRun, task: RegisteredTask, channel: Channel) {
    this.#run = run;
    this.#task = task;
    this.#logs = new LogBuffer(channel, run.runId, run.attempt);
    this.token = run.token;
    this.#recordedMs = run.resume?.usedMs ?? 0;
    this.durable = new Journal(this.#journalOwner(channel), run.resume, state.config.record ?? {});
    // The start is the first value that an attempt records, so that a replay reports the same one.
    this.ctx = contextOf(run, task, new Date(this.durable.recorder.now(realNow)));
  }

  get recorder(): Recorder {
    return this.durable.recorder;
  }

  get replaying(): boolean {
    return this.durable.replaying;
  }

  /**
   * Milliseconds that the attempt has run since its last recorded suspension, without the time during which
   * it was suspended.
   */
  get activeMs(): number {
    return (this.#frozenAt ?? performance.now()) - this.startedAt;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get locals(): Map<symbol, unknown> {
    this.#locals ??= new Map();
    return this.#locals;
  }

  get metadata(): RunMetadata {
    const { runId, parentRunId, metadata } = this.#run;
    this.#metadata ??= new RunMetadata({
      initial: metadata,
      hasParent: Boolean(parentRunId),
      send: (update) => this.durable.inner("the SDK", () => updateRunMetadata(runId, update)),
      warn: (message) => this.log("error", message),
    });
    return this.#metadata;
  }

  log(level: LogEntry["level"], message: string, properties?: object): void {
    if (!this.ended && !this.replaying) this.#logs.add(level, message, properties);
  }

  flushLogs(): void {
    this.#logs.flush();
  }

  /** The run was canceled: aborts the signal; the attempt ends as canceled when its function settles. */
  cancel(): void {
    if (this.#canceled || this.ended) return;
    this.#canceled = true;
    if (this.#frozenAt !== undefined) this.resume(this.token);
    this.#controller.abort();
    this.durable.stop(this.#controller.signal.reason);
    this.#onCancel?.();
  }

  /** An operation that the attempt waits for has a result. */
  completed(number: number, result: OperationResult): void {
    this.durable.completed(number, result);
  }

  /**
   * Suspends the attempt in memory if it only waits. Resolves to the numbers of the operations that it waits
   * for, when everything there is to send has been sent; or to undefined if the attempt continues.
   */
  async suspend(): Promise<number[] | undefined> {
    if (this.#frozenAt !== undefined) return this.#frozenWaits;
    if (this.ended || !this.durable.onlyWaits()) return undefined;
    if (this.#metadata?.pending) await this.#flushMetadata(this.#metadata);
    const waits = this.durable.onlyWaits();
    if (!waits || this.ended) return undefined;
    this.durable.freeze();
    this.#logs.flush();
    clearTimeout(this.#timer);
    this.#frozenAt = performance.now();
    this.#frozenWaits = waits;
    return waits;
  }

  /** Resumes the attempt after `suspend`. */
  resume(token: number): void {
    const isRecorded = token !== this.token;
    this.token = token;
    if (this.#frozenAt === undefined) return;
    const usedMs = this.activeMs;
    this.#frozenAt = undefined;
    if (isRecorded) this.#recordedMs += usedMs;
    this.startedAt = performance.now() - (isRecorded ? 0 : usedMs);
    this.#startTimer();
    this.durable.resume();
  }

  /** The attempt is resumed elsewhere: nothing more of it happens here. */
  forget(): void {
    this.forgotten = true;
    this.ended = true;
    this.durable.end();
  }

  /** Fails the attempt with an error that nobody caught. The process must not be used again. */
  fail(error: unknown): void {
    this.exiting = true;
    this.#interrupt?.(error);
  }

  /** Executes the attempt. Never rejects. Leaves no timer and nothing unsent behind. */
  async execute(): Promise<AttemptOutcome> {
    this.#startTimer();
    let outcome: AttemptOutcome;
    try {
      outcome = await new Promise<AttemptOutcome>((resolve, reject) => {
        this.#interrupt = reject;
        this.#executeWithMiddleware().then(resolve, reject);
      });
    } catch (error) {
      const reported = this.#timedOut ?? error;
      outcome = failure(toTaskRunError(reported), decideBySettings(reported, this.#facts()));
    }
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#canceled) outcome = { type: "canceled" };
    await this.#flushStreams();
    if (this.#metadata) await this.#flushMetadata(this.#metadata);
    this.durable.end();
    this.#logs.flush();
    this.ended = true;
    return outcome;
  }

  async #executeWithMiddleware(): Promise<AttemptOutcome> {
    const run = this.#run;
    const task = this.#task;
    let payload: unknown;
    try {
      payload =
        run.payloadType === STORE_TYPE
          ? await downloadPacket(run.payload)
          : decodePacket(run.payload, run.payloadType);
      if (task.parsePayload) payload = await parse(task.parsePayload, payload);
    } catch (error) {
      return failure(internal("TASK_INPUT_ERROR", undefined, error), null);
    }
    if (this.#canceled) return { type: "canceled" };
    const global = state.hooks.middleware;
    const own = task.hooks.middleware;
    if (global.length === 0 && !own) return this.#executeTask(payload);

    let outcome: AttemptOutcome | undefined;
    const chain = own ? [...global, own] : global;
    const runner = chain.reduceRight<() => Promise<void>>(
      (next, hook: AnyOnMiddlewareHookFunction) => async () => {
        await hook({ ...this.#params(payload), next });
      },
      async () => {
        outcome = await this.#executeTask(payload);
      },
    );
    await runner();
    return (
      outcome ?? failureOf(new Error(`A middleware of task "${task.id}" returned without calling next()`))
    );
  }

  async #executeTask(payload: unknown): Promise<AttemptOutcome> {
    const params = this.#params(payload);
    let init: object | undefined;
    let output: unknown;
    let packet: Packet;
    try {
      this.#hookParams = params;
      init = await this.#callInit(params);
      this.#hookParams = { ...params, init };
      if (this.#run.attempt === 1) await this.#callEach("onStart", { ...params, init });
      await this.#callEach("onStartAttempt", params);
      // The run was canceled before the task's function was called, so it is not called.
      if (this.#canceled) return await this.#canceledBeforeRun({ ...params, init });
      try {
        output = await this.#callRun(payload, init);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "CompleteTaskWithOutput") throw error;
        output = (error as Error & { output?: unknown }).output;
      }
      if (this.#timedOut) throw this.#timedOut;
    } catch (thrown) {
      return this.#failed({ ...params, init }, this.#timedOut ?? thrown);
    }
    const more = { ...params, init };
    if (this.#canceled) {
      await this.#callEach("cleanup", more);
      return { type: "canceled" };
    }
    try {
      packet = encodeOutput(output);
    } catch (error) {
      await this.#report("onFailure", { ...more, error });
      await this.#report("onComplete", { ...more, result: { ok: false, error } });
      await this.#callEach("cleanup", more);
      return failure(internal("TASK_OUTPUT_ERROR", undefined, error), null);
    }
    await this.#report("onSuccess", { ...more, output });
    await this.#report("onComplete", { ...more, result: { ok: true, data: output } });
    await this.#callEach("cleanup", more);
    return { type: "success", output: packet.data, outputType: packet.dataType };
  }

  async #canceledBeforeRun(params: HookParams & { init?: object }): Promise<AttemptOutcome> {
    await this.#report("onCancel", { ...params, runPromise: Promise.resolve(undefined) });
    await this.#callEach("cleanup", params);
    return { type: "canceled" };
  }

  /** The task's function threw. */
  async #failed(params: HookParams & { init?: object }, thrown: unknown): Promise<AttemptOutcome> {
    if (this.#canceled) {
      await this.#callEach("cleanup", params);
      return { type: "canceled" };
    }
    const { retry, error } = await this.#decide(params, thrown);
    if (!retry) {
      await this.#report("onFailure", { ...params, error });
      await this.#report("onComplete", { ...params, result: { ok: false, error } });
    }
    await this.#callEach("cleanup", params);
    return failure(toTaskRunError(error), retry);
  }

  async #decide(
    params: HookParams & { init?: object },
    error: unknown,
  ): Promise<{ retry: RetryDecision; error: unknown }> {
    const facts = this.#facts();
    const retry = decideBySettings(error, facts);
    if (facts.disabled || isFinalError(error) || this.#timedOut) return { retry: null, error };
    const own = this.#task.hooks.catchError;
    // Unlike for other hooks, the task's own hook comes first: the first hook that returns something decides.
    for (const hook of own ? [own, ...state.hooks.catchError] : state.hooks.catchError) {
      try {
        const result = await hook({
          ...params,
          error,
          retry: facts.retry,
          retryDelayInMs: retry?.delayMs,
          retryAt: retry ? new Date(Date.now() + retry.delayMs) : undefined,
        });
        if (!result) continue;
        return { retry: decideByHook(result, facts, Date.now()), error: result.error ?? error };
      } catch (hookError) {
        this.#hookFailed("catchError", hookError);
      }
    }
    return { retry, error };
  }

  #facts(): RetryFacts {
    const { environment, attempt, maxAttempts, retry } = this.#run;
    return {
      retry: { ...DEFAULTS.retry, ...(this.#task.retry ?? retry ?? state.config.retry) },
      attempt,
      maxAttempts,
      disabled: environment.type === "DEVELOPMENT" && state.config.retryInDev === false,
    };
  }

  #params(payload: unknown): HookParams {
    return { payload, ctx: this.ctx, task: this.#task.id, signal: this.#controller.signal };
  }

  async #callInit(params: HookParams): Promise<object | undefined> {
    const own = this.#task.hooks.init;
    const hooks = own ? [...state.hooks.init, own] : state.hooks.init;
    if (hooks.length === 0) return undefined;
    let merged = {};
    for (const hook of hooks) {
      const result = await hook(params);
      if (typeof result === "object" && result !== null && !Array.isArray(result))
        merged = { ...merged, ...result };
    }
    return merged;
  }

  #callRun(payload: unknown, init: object | undefined): Promise<unknown> {
    const whole = this.#interrupt;
    const params = { ctx: this.ctx, init, signal: this.#controller.signal };
    const settled = new Promise<unknown>((resolve, reject) => {
      this.#interrupt = reject;
      Promise.resolve(this.#task.run(payload, params)).then(resolve, reject);
    });
    const { onCancel } = this.#task.hooks;
    if (!onCancel && state.hooks.onCancel.length === 0) {
      return settled.finally(() => {
        this.#interrupt = whole;
      });
    }
    let hooks: Promise<void> | undefined;
    settled.catch(() => {});
    this.#onCancel = () => {
      hooks = this.#report("onCancel", { ...this.#params(payload), init, runPromise: settled });
    };
    return settled.finally(async () => {
      this.#interrupt = whole;
      this.#onCancel = undefined;
      await hooks;
    });
  }

  /** Calls the global hooks of a kind, then the task's, one after another. Throws what one of them throws. */
  async #callEach<K extends Observing>(kind: K, params: Parameters<HookFunctions[K]>[0]): Promise<void> {
    const own = this.#task.hooks[kind] as ((params: unknown) => unknown) | undefined;
    for (const hook of state.hooks[kind] as ((params: unknown) => unknown)[]) await hook(params);
    if (own) await own(params);
  }

  /**
   * Like `#callEach`, but the outcome is fixed already: what a hook throws is logged, and the next one is
   * called.
   */
  async #report<K extends Observing>(kind: K, params: Parameters<HookFunctions[K]>[0]): Promise<void> {
    const own = this.#task.hooks[kind] as ((params: unknown) => unknown) | undefined;
    const global = state.hooks[kind] as ((params: unknown) => unknown)[];
    if (global.length === 0 && !own) return;
    for (const hook of own ? [...global, own] : global) {
      try {
        await hook(params);
      } catch (error) {
        this.#hookFailed(kind, error);
      }
    }
  }

  #hookFailed(kind: string, error: unknown): void {
    this.log("error", `The ${kind} hook of task "${this.#task.id}" threw: ${String(error)}`, { error });
  }

  #startTimer(): void {
    const seconds = this.ctx.run.maxDuration;
    if (!seconds || seconds > NO_LIMIT_SECONDS || this.#timedOut) return;
    this.#timer = setTimeout(
      () => {
        const error = new MaxDurationExceededError(seconds, (this.#recordedMs + this.activeMs) / 1_000);
        this.#timedOut = error;
        this.#controller.abort(error);
        this.durable.stop(error);
        this.#timer = setTimeout(() => this.fail(error), GRACE_MS);
      },
      Math.max(0, seconds * 1_000 - this.#recordedMs - this.activeMs),
    );
  }

  #journalOwner(channel: Channel): ConstructorParameters<typeof Journal>[0] {
    const attempt = this;
    return {
      self: this,
      runId: this.#run.runId,
      attempt: this.#run.attempt,
      get token() {
        return attempt.token;
      },
      send: (message) => channel.send(message),
      failed: (error) => this.fail(error),
      callWaitHooks: (kind, wait) => {
        const hooked = this.#task.hooks[kind] || state.hooks[kind].length > 0;
        const params = this.#hookParams;
        return hooked && params ? this.#report(kind, { ...params, wait }) : undefined;
      },
    };
  }

  /** Readers get all that was written: the run does not end before it is stored, within bounds. */
  async #flushStreams(): Promise<void> {
    if (this.pending.size === 0) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, STREAMS_MS);
    const written = Promise.allSettled([...this.pending]);
    const settled = await Promise.race([written, late.promise]);
    clearTimeout(timer);
    if (!settled)
      this.log(
        "error",
        `Streams were still being written after ${STREAMS_MS / 1_000} s; the run ends without the rest`,
      );
    for (const result of settled ?? [])
      if (result.status === "rejected")
        this.log("error", `A stream was not written to its end: ${String(result.reason)}`);
  }

  async #flushMetadata(metadata: RunMetadata): Promise<void> {
    try {
      await metadata.flush();
    } catch (error) {
      this.log("error", notSaved(error));
    }
  }
}

/** The run's end waits this long for its streams to be stored. */
const STREAMS_MS = 60_000;

type Observing =
  | "onStart"
  | "onStartAttempt"
  | "onSuccess"
  | "onFailure"
  | "onComplete"
  | "cleanup"
  | "onCancel"
  | "onWait"
  | "onResume";

/**
 * The runtime does not decide what follows after the task ran out of memory: the task's retry settings do, in
 * the queue.
 */
const failure = (error: TaskRunError, retry: RetryDecision): AttemptOutcome =>
  error.type === "INTERNAL_ERROR" && error.code === "TASK_PROCESS_OOM_KILLED"
    ? { type: "failure", error }
    : { type: "failure", error, retry };

const failureOf = (error: Error): AttemptOutcome => failure(toTaskRunError(error), null);

async function parse(parsePayload: (payload: unknown) => unknown, payload: unknown): Promise<unknown> {
  try {
    return await parsePayload(payload);
  } catch (error) {
    throw new TaskPayloadParsedError(error);
  }
}

function encodeOutput(output: unknown): Packet {
  const packet = encodePacket(output);
  const bytes = packet.data === undefined ? 0 : Buffer.byteLength(packet.data);
  if (bytes > LIMITS.outputBytes) {
    throw new Error(
      `The output has ${bytes} bytes, more than the ${LIMITS.outputBytes} allowed: store it elsewhere and return a reference`,
    );
  }
  return packet;
}
