import { fileURLToPath } from "node:url";
import { decodePacket, type Packet, STORE_TYPE } from "../client/packet.ts";
import { downloadPacket } from "../client/runs-api.ts";
import type { AttemptOutcome, DequeuedRun } from "../contract/host-protocol.ts";
import { DEFAULTS } from "../contract/limits.ts";
import { TaskPayloadParsedError } from "../define/errors.ts";
import type { HookParams, TaskWait } from "../define/hook-types.ts";
import type { Context } from "../run/context.ts";
import { hideFramesFrom, internal, toTaskRunError } from "../run/run-error.ts";
import { type RegisteredTask, state } from "../run/state.ts";
import type { AttemptStop } from "./attempt-stop.ts";
import { encodeOutput, failure } from "./outcome.ts";
import { decideBySettings, isFinalError, type RetryDecision, type RetryFacts } from "./retry-decision.ts";
import { TaskHooks } from "./task-hooks.ts";

hideFramesFrom([import.meta.url, fileURLToPath(import.meta.url)]);

type ParamsWithInit = HookParams & { init?: object };

/** Calls middleware, hooks and the task's function once, and turns what happens into an outcome. */
export class TaskExecution {
  readonly #run: DequeuedRun;
  readonly #task: RegisteredTask;
  readonly #ctx: Context;
  readonly #stop: AttemptStop;
  readonly #hooks: TaskHooks;
  /** Rejects what is being awaited: the task's function while that runs, or else the whole execution. */
  #interrupt: ((error: unknown) => void) | undefined;
  /** Calls the `onCancel` hooks; undefined unless the task's function runs. */
  #onCancel: (() => void) | undefined;
  /** The parameters of the hooks that are called while the task's function waits. */
  #hookParams: ParamsWithInit | undefined;

  constructor(
    run: DequeuedRun,
    task: RegisteredTask,
    ctx: Context,
    stop: AttemptStop,
    logError: (message: string, properties: object) => void,
  ) {
    this.#run = run;
    this.#task = task;
    this.#ctx = ctx;
    this.#stop = stop;
    this.#hooks = new TaskHooks(task, logError);
  }

  /** Never rejects. */
  async execute(): Promise<AttemptOutcome> {
    try {
      return await new Promise<AttemptOutcome>((resolve, reject) => {
        this.#interrupt = reject;
        this.#executeWithMiddleware().then(resolve, reject);
      });
    } catch (error) {
      const reported = this.#stop.timedOut ?? error;
      return failure(toTaskRunError(reported), decideBySettings(reported, this.#facts()));
    }
  }

  /** Fails it with an error, whatever its code is doing. */
  interrupt(error: unknown): void {
    this.#interrupt?.(error);
  }

  /** The run was canceled, and its signal is aborted. */
  canceled(): void {
    this.#onCancel?.();
  }

  /** Returns undefined if there are no such hooks. */
  callWaitHooks(kind: "onWait" | "onResume", wait: TaskWait): Promise<void> | undefined {
    const params = this.#hookParams;
    return params && this.#hooks.has(kind) ? this.#hooks.report(kind, { ...params, wait }) : undefined;
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
    if (this.#stop.canceled) return { type: "canceled" };
    if (!this.#hooks.has("middleware")) return this.#executeTask(payload);
    let outcome: AttemptOutcome | undefined;
    await this.#hooks.throughMiddleware(this.#params(payload), async () => {
      outcome = await this.#executeTask(payload);
    });
    if (outcome) return outcome;
    const error = new Error(`A middleware of task "${task.id}" returned without calling next()`);
    return failure(toTaskRunError(error), null);
  }

  async #executeTask(payload: unknown): Promise<AttemptOutcome> {
    const hooks = this.#hooks;
    const params = this.#params(payload);
    let init: object | undefined;
    let output: unknown;
    let packet: Packet;
    try {
      this.#hookParams = params;
      // Most tasks have no hooks: each `await` of nothing would cost every run a promise and a turn of the microtask queue.
      if (hooks.has("init")) {
        init = await hooks.init(params);
        this.#hookParams = { ...params, init };
      }
      if (this.#run.attempt === 1 && hooks.has("onStart")) await hooks.call("onStart", { ...params, init });
      if (hooks.has("onStartAttempt")) await hooks.call("onStartAttempt", params);
      // The run was canceled before the task's function was called, so it is not called.
      if (this.#stop.canceled) return await this.#canceledBeforeRun({ ...params, init });
      try {
        output = await this.#callRun(payload, init);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "CompleteTaskWithOutput") throw error;
        output = (error as Error & { output?: unknown }).output;
      }
      if (this.#stop.timedOut) throw this.#stop.timedOut;
    } catch (thrown) {
      return this.#failed({ ...params, init }, this.#stop.timedOut ?? thrown);
    }
    const more = { ...params, init };
    if (this.#stop.canceled) {
      await hooks.call("cleanup", more);
      return { type: "canceled" };
    }
    try {
      packet = encodeOutput(output);
    } catch (error) {
      await hooks.report("onFailure", { ...more, error });
      await hooks.report("onComplete", { ...more, result: { ok: false, error } });
      await hooks.call("cleanup", more);
      return failure(internal("TASK_OUTPUT_ERROR", undefined, error), null);
    }
    if (hooks.has("onSuccess")) await hooks.report("onSuccess", { ...more, output });
    if (hooks.has("onComplete"))
      await hooks.report("onComplete", { ...more, result: { ok: true, data: output } });
    if (hooks.has("cleanup")) await hooks.call("cleanup", more);
    return { type: "success", output: packet.data, outputType: packet.dataType };
  }

  async #canceledBeforeRun(params: ParamsWithInit): Promise<AttemptOutcome> {
    await this.#hooks.report("onCancel", { ...params, runPromise: Promise.resolve(undefined) });
    await this.#hooks.call("cleanup", params);
    return { type: "canceled" };
  }

  /** The task's function threw. */
  async #failed(params: ParamsWithInit, thrown: unknown): Promise<AttemptOutcome> {
    if (this.#stop.canceled) {
      await this.#hooks.call("cleanup", params);
      return { type: "canceled" };
    }
    const { retry, error } = await this.#decide(params, thrown);
    if (!retry) {
      await this.#hooks.report("onFailure", { ...params, error });
      await this.#hooks.report("onComplete", { ...params, result: { ok: false, error } });
    }
    await this.#hooks.call("cleanup", params);
    return failure(toTaskRunError(error), retry);
  }

  async #decide(params: ParamsWithInit, error: unknown): Promise<{ retry: RetryDecision; error: unknown }> {
    const facts = this.#facts();
    const retry = decideBySettings(error, facts);
    if (facts.disabled || isFinalError(error) || this.#stop.timedOut) return { retry: null, error };
    return this.#hooks.catchError(params, error, facts, retry);
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
    return { payload, ctx: this.#ctx, task: this.#task.id, signal: this.#stop.signal };
  }

  #callRun(payload: unknown, init: object | undefined): Promise<unknown> {
    const whole = this.#interrupt;
    const params = { ctx: this.#ctx, init, signal: this.#stop.signal };
    const settled = new Promise<unknown>((resolve, reject) => {
      this.#interrupt = reject;
      Promise.resolve(this.#task.run(payload, params)).then(resolve, reject);
    });
    if (!this.#hooks.has("onCancel")) {
      return settled.finally(() => {
        this.#interrupt = whole;
      });
    }
    let hooks: Promise<void> | undefined;
    settled.catch(() => {});
    this.#onCancel = () => {
      hooks = this.#hooks.report("onCancel", { ...this.#params(payload), init, runPromise: settled });
    };
    return settled.finally(async () => {
      this.#interrupt = whole;
      this.#onCancel = undefined;
      await hooks;
    });
  }
}

async function parse(parsePayload: (payload: unknown) => unknown, payload: unknown): Promise<unknown> {
  try {
    return await parsePayload(payload);
  } catch (error) {
    throw new TaskPayloadParsedError(error);
  }
}
