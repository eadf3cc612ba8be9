import type { ApiRequestOptions } from "./client/request-options.ts";
import type { HookFunctions } from "./hook-types.ts";
import { state } from "./state.ts";
import type { AnyTask, RunHandle, TaskIdentifier, TaskOutput, TaskPayload } from "./task-types.ts";
import { triggerTask } from "./trigger.ts";
import type { TriggerOptions } from "./trigger-options.ts";

/**
 * Triggers a run by its task's id: `tasks.trigger<typeof myTask>("my-task", payload)` with a type-only import of the task.
 * @throws ApiError and its kin
 */
async function trigger<T extends AnyTask>(
  id: TaskIdentifier<T>,
  payload: TaskPayload<T>,
  options?: TriggerOptions,
  requestOptions?: ApiRequestOptions,
): Promise<RunHandle<TaskIdentifier<T>, TaskPayload<T>, TaskOutput<T>>> {
  return triggerTask(id, payload, options, requestOptions);
}

/** Registers a hook for all tasks: with a name of its own first, or without. */
interface RegisterHook<K extends keyof HookFunctions> {
  (fn: HookFunctions[K]): void;
  (name: string, fn: HookFunctions[K]): void;
}

const register =
  <K extends keyof HookFunctions>(kind: K): RegisterHook<K> =>
  (first: string | HookFunctions[K], second?: HookFunctions[K]) => {
    const fn = typeof first === "string" ? second : first;
    if (typeof fn !== "function") throw new TypeError(`tasks.${kind} needs a function`);
    (state.hooks[kind] as HookFunctions[K][]).push(fn);
  };

export const tasks = {
  trigger,
  init: register("init"),
  middleware: register("middleware"),
  onStart: register("onStart"),
  onStartAttempt: register("onStartAttempt"),
  onSuccess: register("onSuccess"),
  onFailure: register("onFailure"),
  onComplete: register("onComplete"),
  onCancel: register("onCancel"),
  onWait: register("onWait"),
  onResume: register("onResume"),
  catchError: register("catchError"),
  /** @deprecated use `catchError` */
  handleError: register("catchError"),
  cleanup: register("cleanup"),
};
