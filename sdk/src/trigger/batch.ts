import { ApiPromise } from "../client/api-promise.ts";
import { getBatch } from "../client/batches-api.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import type { AnyTask } from "../define/task-types.ts";
import { state } from "../run/state.ts";
import { callSite } from "../wait/durable.ts";
import { type BatchEntry, triggerBatch, triggerBatchAndWait } from "./batch-trigger.ts";
import type {
  BatchByIdAndWaitItem,
  BatchByIdItem,
  BatchByIdResult,
  BatchByTaskAndWaitItem,
  BatchByTaskItem,
  BatchByTaskResult,
  BatchItems,
  BatchRunHandleOf,
  BatchTriggerAndWaitOptions,
  BatchTriggerOptions,
  RetrievedBatch,
} from "./batch-types.ts";
import type { TriggerOptions } from "./trigger-options.ts";

interface ItemById {
  id: string;
  payload: unknown;
  options?: TriggerOptions;
}
interface ItemByTask {
  task: AnyTask;
  payload: unknown;
  options?: TriggerOptions;
}

/** The schema and queue of the item's task are known if the task is part of the same code. */
function byId({ id, payload, options }: ItemById): BatchEntry {
  const task = state.tasks.get(id);
  return { taskId: id, payload, options, parse: task?.parsePayload, queue: task?.queue?.name };
}
const byTask = ({ task, payload, options }: ItemByTask): BatchEntry =>
  byId({ id: task.id, payload, options });

/**
 * Triggers runs of several tasks: `batch.trigger<typeof a | typeof b>([{ id: "a", payload }, …])`.
 * @throws BatchTriggerError
 */
async function trigger<T extends AnyTask>(
  items: BatchItems<BatchByIdItem<T>>,
  options?: BatchTriggerOptions,
  requestOptions?: ApiRequestOptions,
): Promise<BatchRunHandleOf<T>> {
  const site = callSite(trigger);
  const call = { items: items as BatchItems<ItemById>, entryOf: byId, options, requestOptions, site };
  return triggerBatch(call) as Promise<BatchRunHandleOf<T>>;
}

/**
 * Like `trigger`, and waits until all runs have finished. The results are in the order of the items, with
 * `taskIdentifier`.
 * @throws BatchTriggerError; Error outside of a run
 */
async function triggerAndWait<T extends AnyTask>(
  items: BatchItems<BatchByIdAndWaitItem<T>>,
  options?: BatchTriggerAndWaitOptions,
  requestOptions?: ApiRequestOptions,
): Promise<BatchByIdResult<T>> {
  const site = callSite(triggerAndWait);
  const call = { items: items as BatchItems<ItemById>, entryOf: byId, options, requestOptions, site };
  return triggerBatchAndWait(call) as Promise<BatchByIdResult<T>>;
}

/**
 * Triggers runs of several tasks: `batch.triggerByTask([{ task: a, payload }, { task: b, payload }])`.
 * @throws BatchTriggerError
 */
async function triggerByTask<TTasks extends readonly AnyTask[]>(
  items: { [K in keyof TTasks]: BatchByTaskItem<TTasks[K]> } | BatchItems<BatchByTaskItem<TTasks[number]>>,
  options?: BatchTriggerOptions,
  requestOptions?: ApiRequestOptions,
): Promise<BatchRunHandleOf<TTasks[number]>> {
  const site = callSite(triggerByTask);
  const call = { items: items as BatchItems<ItemByTask>, entryOf: byTask, options, requestOptions, site };
  return triggerBatch(call) as Promise<BatchRunHandleOf<TTasks[number]>>;
}

/**
 * Like `triggerByTask`, and waits until all runs have finished. The results are in the order of the items,
 * each of the type of its task.
 * @throws BatchTriggerError; Error outside of a run
 */
async function triggerByTaskAndWait<TTasks extends readonly AnyTask[]>(
  items:
    | { [K in keyof TTasks]: BatchByTaskAndWaitItem<TTasks[K]> }
    | BatchItems<BatchByTaskAndWaitItem<TTasks[number]>>,
  options?: BatchTriggerAndWaitOptions,
  requestOptions?: ApiRequestOptions,
): Promise<BatchByTaskResult<TTasks>> {
  const site = callSite(triggerByTaskAndWait);
  const call = { items: items as BatchItems<ItemByTask>, entryOf: byTask, options, requestOptions, site };
  return triggerBatchAndWait(call) as unknown as Promise<BatchByTaskResult<TTasks>>;
}

/**
 * Retrieves a batch with its status and the ids of its runs.
 * @throws NotFoundError if the key's environment has no such batch
 */
function retrieve(batchId: string, requestOptions?: ApiRequestOptions): ApiPromise<RetrievedBatch> {
  return new ApiPromise(getBatch(batchId, requestOptions));
}

export const batch = { trigger, triggerAndWait, triggerByTask, triggerByTaskAndWait, retrieve };
