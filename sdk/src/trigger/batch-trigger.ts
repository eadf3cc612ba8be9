import { type BatchLine, type CreatedBatch, getBatchResults, sendBatch } from "../client/batches-api.ts";
import { encodePacket } from "../client/packet.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { batchOperationName } from "../contract/api/operations.ts";
import type { OperationResult } from "../contract/journal.ts";
import { durableScope, UNKNOWN_ITEMS, waitScope } from "../wait/durable.ts";
import { failedCall, readValue, recordedValue } from "../wait/operation-errors.ts";
import type { BatchItems, BatchTriggerOptions } from "./batch-types.ts";
import { triggeringRun } from "./caller.ts";
import { idempotencyKeyOptions, toIdempotencyKey } from "./idempotency-keys.ts";
import type { TaskRunResult } from "./task-run-promise.ts";
import { resultOf, sentOptions, withOperation } from "./trigger.ts";
import type { TriggerOptions } from "./trigger-options.ts";

/** The run to trigger for one item of a batch. */
export interface BatchEntry {
  taskId: string;
  payload: unknown;
  options?: TriggerOptions;
  parse?: (payload: unknown) => unknown;
  /** The task's own queue. */
  queue?: string;
}
export interface BatchCall<T> {
  items: BatchItems<T>;
  entryOf: (item: T) => BatchEntry;
  /** The task of all items. Absent: each item names its task. */
  taskId?: string;
  options: BatchTriggerOptions | undefined;
  requestOptions?: ApiRequestOptions;
  /** See `callSite`. */
  site: string | undefined;
}
interface Handle {
  batchId: string;
  runCount: number;
  publicAccessToken: string;
  isCached?: boolean;
}

/** Calls `POST /api/v3/batches`, then sends the items. Inside a run, this is one durable operation. */
export async function triggerBatch<T>(call: BatchCall<T>): Promise<Handle> {
  const found = durableScope();
  if (!found) return handleOf(await send(call, undefined, false));
  return found.scope.operation<Handle>({
    kind: "batch-trigger",
    name: nameOf(call),
    site: call.site,
    start: async ({ id }) => {
      try {
        const handle = handleOf(await send(call, id, false));
        return { target: handle.batchId, result: recordedValue(handle) };
      } catch (error) {
        return { result: failedCall(error) };
      }
    },
    read: readValue<Handle>,
  });
}

/**
 * Triggers a batch and waits until all of its runs have finished.
 * @throws BatchTriggerError; Error outside of a run
 */
export async function triggerBatchAndWait<T>(
  call: BatchCall<T>,
): Promise<{ id: string; runs: TaskRunResult<string>[] }> {
  const { scope } = waitScope("batchTriggerAndWait()");
  let runCount = Array.isArray(call.items) ? call.items.length : 0;
  return scope.operation({
    kind: "batch",
    name: nameOf(call),
    site: call.site,
    start: async ({ id }) => {
      try {
        const created = await send(call, id, true);
        runCount = created.runCount;
        return { target: created.id };
      } catch (error) {
        return { result: failedCall(error) };
      }
    },
    wait: ({ target }) => ({ type: "batch", batchId: target ?? "", runCount }),
    read: async (result) => {
      const { batchId } = readValue<{ batchId: string }>(result);
      const items = await getBatchResults(batchId, call.requestOptions);
      return {
        id: batchId,
        runs: await Promise.all(
          items.map((item) => resultOf(item.id, item.taskIdentifier, item as OperationResult)),
        ),
      };
    },
  });
}

async function send<T>(
  { items, entryOf, options, requestOptions }: BatchCall<T>,
  operation: string | undefined,
  waits: boolean,
): Promise<CreatedBatch> {
  const run = triggeringRun();
  const version = waits ? run?.version : undefined;
  const all: T[] = Array.isArray(items) ? (items as T[]) : [];
  if (!Array.isArray(items)) for await (const item of items as AsyncIterable<T>) all.push(item);
  const lines = await Promise.all(all.map((item, index) => lineOf(entryOf(item), index, options, version)));
  const idempotencyKey = await toIdempotencyKey(options?.idempotencyKey);
  const body = {
    runCount: lines.length,
    taskIdentifiers: [...new Set(lines.map(({ task }) => task))],
    parentRunId: run?.id,
    resumeParentOnCompletion: waits || undefined,
    idempotencyKey,
    idempotencyKeyOptions: idempotencyKey ? idempotencyKeyOptions(idempotencyKey) : undefined,
  };
  return sendBatch(
    body,
    lines,
    withOperation(requestOptions, operation),
    withOperation(requestOptions, undefined),
  );
}

async function lineOf(
  entry: BatchEntry,
  index: number,
  batch: BatchTriggerOptions | undefined,
  version: string | undefined,
): Promise<BatchLine> {
  const { data, dataType } = encodePacket(entry.parse ? await entry.parse(entry.payload) : entry.payload);
  const key = batch?.idempotencyKey && (await toIdempotencyKey([batch.idempotencyKey, String(index)].flat()));
  const options = {
    ...entry.options,
    idempotencyKeyTTL: entry.options?.idempotencyKeyTTL ?? batch?.idempotencyKeyTTL,
    ...(version === undefined ? {} : { version }),
  };
  return {
    index,
    task: entry.taskId,
    payload: data,
    options: { ...(await sentOptions(options, entry.queue, key)), payloadType: dataType },
  };
}

const handleOf = ({ id, runCount, publicAccessToken, isCached }: CreatedBatch): Handle => ({
  batchId: id,
  runCount,
  publicAccessToken,
  isCached,
});

function nameOf<T>({ items, entryOf, taskId }: BatchCall<T>): string {
  if (taskId !== undefined) return taskId;
  if (!Array.isArray(items)) return UNKNOWN_ITEMS;
  return batchOperationName((items as T[]).map((item) => entryOf(item).taskId));
}
