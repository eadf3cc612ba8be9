import { fileURLToPath } from "node:url";
import type { AnyOnMiddlewareHookFunction, HookFunctions, HookParams } from "../define/hook-types.ts";
import { hideFramesFrom } from "../run/run-error.ts";
import { type RegisteredTask, state } from "../run/state.ts";
import { decideByHook, type RetryDecision, type RetryFacts } from "./retry-decision.ts";

hideFramesFrom([import.meta.url, fileURLToPath(import.meta.url)]);

/** The hooks that observe a run: what they return is ignored. */
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

/** Calls the hooks of one task: the project's, and its own. */
export class TaskHooks {
  readonly #task: RegisteredTask;
  readonly #logError: (message: string, properties: object) => void;

  constructor(task: RegisteredTask, logError: (message: string, properties: object) => void) {
    this.#task = task;
    this.#logError = logError;
  }

  has(kind: keyof HookFunctions): boolean {
    return this.#task.hooks[kind] !== undefined || state.hooks[kind].length > 0;
  }

  /** Calls the project's hooks of a kind, then the task's, one after another. Throws what one of them throws. */
  async call<K extends Observing>(kind: K, params: Parameters<HookFunctions[K]>[0]): Promise<void> {
    const own = this.#task.hooks[kind] as ((params: unknown) => unknown) | undefined;
    for (const hook of state.hooks[kind] as ((params: unknown) => unknown)[]) await hook(params);
    if (own) await own(params);
  }

  /**
   * Like `call`, but the outcome is fixed already: what a hook throws is logged, and the next one is called.
   */
  async report<K extends Observing>(kind: K, params: Parameters<HookFunctions[K]>[0]): Promise<void> {
    const own = this.#task.hooks[kind] as ((params: unknown) => unknown) | undefined;
    const global = state.hooks[kind] as ((params: unknown) => unknown)[];
    if (global.length === 0 && !own) return;
    for (const hook of own ? [...global, own] : global) {
      try {
        await hook(params);
      } catch (error) {
        this.#failed(kind, error);
      }
    }
  }

  /** Returns what the `init` hooks returned, merged; undefined if there are none. */
  async init(params: HookParams): Promise<object | undefined> {
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

  /** Calls `inner` inside all middleware. It is not called if a middleware does not call `next()`. */
  async throughMiddleware(params: HookParams, inner: () => Promise<void>): Promise<void> {
    const global = state.hooks.middleware;
    const own = this.#task.hooks.middleware;
    const chain = own ? [...global, own] : global;
    const runner = chain.reduceRight<() => Promise<void>>(
      (next, hook: AnyOnMiddlewareHookFunction) => async () => {
        await hook({ ...params, next });
      },
      inner,
    );
    await runner();
  }

  /** Asks the `catchError` hooks about an error. `retry`: what the retry settings decided. */
  async catchError(
    params: HookParams & { init?: object },
    error: unknown,
    facts: RetryFacts,
    retry: RetryDecision,
  ): Promise<{ retry: RetryDecision; error: unknown }> {
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
        this.#failed("catchError", hookError);
      }
    }
    return { retry, error };
  }

  #failed(kind: string, error: unknown): void {
    this.#logError(`The ${kind} hook of task "${this.#task.id}" threw: ${String(error)}`, { error });
  }
}
