import type { ApiRequestOptions } from "../client/request-options.ts";
import type { HookFunctions } from "../define/hook-types.ts";
import type { AnyTask, RunHandle, TaskIdentifier, TaskOutput, TaskPayload } from "../define/task-types.ts";
import { state } from "../run/state.ts";
import { callSite } from "../wait/durable.ts";
import { triggerBatch, triggerBatchAndWait } from "./batch-trigger.ts";
import type {
  BatchItem,
  BatchItems,
  BatchResult,
  BatchRunHandleOf,
  BatchTriggerAndWaitItem,
  BatchTriggerAndWaitOptions,
  BatchTriggerOptions,
} from "./batch-types.ts";
import type { TaskRunPromise, TaskRunResult } from "./task-run-promise.ts";
import { triggerTask, triggerTaskAndPoll, triggerTaskAndSubscribe, triggerTaskAndWait } from "./trigger.ts";
import type { TriggerAndWaitOptions, TriggerOptions } from "./trigger-options.ts";

/**
 * Triggers a run by its task's id: `tasks.trigger<typeof myTask>("my-task", payload)` with a type-only import
 * of the task.
 * @throws ApiError or a subclass
 */
async function trigger<T extends AnyTask>(
  id: TaskIdentifier<T>,
  payload: TaskPayload<T>,
  options?: TriggerOptions,
  requestOptions?: ApiRequestOptions,
): Promise<RunHandle<TaskIdentifier<T>, TaskPayload<T>, TaskOutput<T>>> {
  return triggerTask({ taskId: id, payload, options, requestOptions, site: callSite(trigger) });
}

/**
 * Like `trigger`, and waits until the run has finished. Only inside a run. `.unwrap()` returns the output.
 * @throws ApiError or a subclass if the run could not be triggered
 */
function triggerAndWait<T extends AnyTask>(
  id: TaskIdentifier<T>,
  payload: TaskPayload<T>,
  options?: TriggerAndWaitOptions,
  requestOptions?: ApiRequestOptions,
): TaskRunPromise<TaskIdentifier<T>, TaskOutput<T>> {
  return triggerTaskAndWait({ taskId: id, payload, options, requestOptions, site: callSite(triggerAndWait) });
}

/**
 * Triggers a run and returns its result: `{ ok: true, output }` or `{ ok: false, error }`. Works in any
 * runtime, but not inside a run: use `triggerAndWait` there. The result of a short run comes with the answer
 * to the trigger. Aborting ends the wait, not the run.
 * @throws ApiError or a subclass
 */
async function triggerAndPoll<T extends AnyTask>(
  id: TaskIdentifier<T>,
  payload: TaskPayload<T>,
  options?: TriggerOptions,
  requestOptions?: ApiRequestOptions,
): Promise<TaskRunResult<TaskIdentifier<T>, TaskOutput<T>>> {
  return triggerTaskAndPoll({ taskId: id, payload, options, requestOptions, site: undefined });
}

/**
 * Triggers a run and resolves with its result when it is finished, using a live subscription. `.unwrap()`
 * returns the output. Works in any runtime; inside a run, `triggerAndWait` is better, because the run that
 * waits is suspended there.
 * @param options.cancelOnAbort when `signal` is aborted, cancel the run too. Default: true
 * @throws ApiError or a subclass; LiveError; the signal's reason
 */
function triggerAndSubscribe<T extends AnyTask>(
  id: TaskIdentifier<T>,
  payload: TaskPayload<T>,
  options?: TriggerOptions & { signal?: AbortSignal; cancelOnAbort?: boolean },
  requestOptions?: ApiRequestOptions,
): TaskRunPromise<TaskIdentifier<T>, TaskOutput<T>> {
  const { signal, cancelOnAbort, ...sent } = options ?? {};
  const site = callSite(triggerAndSubscribe);
  const call = { taskId: id, payload, options: sent, requestOptions, site };
  return triggerTaskAndSubscribe(call, { signal, cancelOnAbort });
}

/**
 * Triggers a run for each item.
 * @throws BatchTriggerError
 */
async function batchTrigger<T extends AnyTask>(
  id: TaskIdentifier<T>,
  items: BatchItems<BatchItem<TaskPayload<T>>>,
  options?: BatchTriggerOptions,
  requestOptions?: ApiRequestOptions,
): Promise<BatchRunHandleOf<T>> {
  const entryOf = (item: BatchItem<TaskPayload<T>>) => ({ ...item, taskId: id });
  const site = callSite(batchTrigger);
  return triggerBatch({ items, entryOf, taskId: id, options, requestOptions, site });
}

/**
 * Like `batchTrigger`, and waits until all runs have finished. Only inside a run.
 * @throws BatchTriggerError
 */
async function batchTriggerAndWait<T extends AnyTask>(
  id: TaskIdentifier<T>,
  items: BatchItems<BatchTriggerAndWaitItem<TaskPayload<T>>>,
  options?: BatchTriggerAndWaitOptions,
  requestOptions?: ApiRequestOptions,
): Promise<BatchResult<TaskIdentifier<T>, TaskOutput<T>>> {
  const entryOf = (item: BatchTriggerAndWaitItem<TaskPayload<T>>) => ({ ...item, taskId: id });
  const site = callSite(batchTriggerAndWait);
  const result = await triggerBatchAndWait({ items, entryOf, taskId: id, options, requestOptions, site });
  return result as BatchResult<TaskIdentifier<T>, TaskOutput<T>>;
}

/** Registers a hook for all tasks. The first argument can be a name for it. */
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
  triggerAndWait,
  triggerAndPoll,
  triggerAndSubscribe,
  batchTrigger,
  batchTriggerAndWait,
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
