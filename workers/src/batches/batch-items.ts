import type {
  BatchItem,
  BatchOwnerRpc,
  BatchRecord,
  EnvironmentRef,
  QueueDeclaration,
} from "@acme/durable-objects/rpc";
import { BATCH_LIMITS, BatchItemIndex, BatchItemLine } from "@acme/sdk/contract/api";
import type { z } from "zod";
import type { Bindings } from "../bindings.ts";
import { Failure, invalid } from "../http/failure.ts";
import { ndjsonLines } from "../http/ndjson.ts";
import { RunPreparation, type TriggerInput } from "../runs/prepare-run.ts";

/**
 * The maximum sent to the batch's object in one call, which is one flush to disk. Up to twice as much is in
 * memory.
 */
const CHUNK_ITEMS = 500;
const CHUNK_CHARACTERS = 2 * 1024 * 1024;

export interface ReceivedItems {
  accepted: number;
  deduplicated: number;
  batch: BatchRecord;
}

/** A line whose index is known. An error in the rest of it fails this item, not the stream. */
interface Line {
  index: number;
  task: string;
  item: z.infer<typeof BatchItemLine> | Failure;
}

/** Adds the items of a stream to a batch that is not sealed. `check` throws a Failure for a task that is not allowed. */
export async function receiveItems(
  env: Bindings,
  environment: EnvironmentRef,
  owner: BatchOwnerRpc,
  batch: BatchRecord,
  stream: ReadableStream<Uint8Array>,
  { check, traceparent }: { check(task: string): void; traceparent?: string },
): Promise<ReceivedItems> {
  const preparation = new RunPreparation(env, environment, traceparent);
  const received: ReceivedItems = { accepted: 0, deduplicated: 0, batch };
  // Items that came with an earlier, broken stream are not prepared again: their large payloads would be stored twice.
  const mayRepeat = batch.itemCount > 0;
  const send = async (lines: Line[]): Promise<void> => {
    const missing = mayRepeat
      ? new Set(
          await owner.missingItems(
            environment.key,
            lines.map(({ index }) => index),
          ),
        )
      : null;
    const fresh = missing ? lines.filter(({ index }) => missing.has(index)) : lines;
    received.deduplicated += lines.length - fresh.length;
    const sent = await sendItems(owner, environment, batch.id, await prepareLines(preparation, batch, fresh));
    received.accepted += sent.accepted;
    received.deduplicated += sent.deduplicated;
    received.batch = sent.batch;
  };

  let lines: Line[] = [];
  let characters = 0;
  // The next chunk is read while the previous one is being sent.
  let sending: Promise<void> = Promise.resolve();
  try {
    for await (const line of ndjsonLines(stream, BATCH_LIMITS.itemBytes)) {
      const parsed = parseLine(line, batch.runCount);
      check(parsed.task);
      lines.push(parsed);
      characters += line.text.length;
      if (lines.length < CHUNK_ITEMS && characters < CHUNK_CHARACTERS) continue;
      await sending;
      sending = send(lines);
      // A failure is thrown when the promise is awaited.
      sending.catch(() => {});
      lines = [];
      characters = 0;
    }
    await sending;
    if (lines.length > 0) await send(lines);
  } finally {
    // No work continues after the response.
    await Promise.allSettled([sending]);
  }
  return received;
}

function parseLine({ number, text }: { number: number; text: string }, runCount: number): Line {
  const value = parseJson(number, text);
  const placed = BatchItemIndex.safeParse(value);
  if (!placed.success) {
    throw new Failure(
      400,
      "invalid_item",
      `Line ${number} has no index: each line is {"index": 0, "task": "…", "payload": …}, with indexes from 0.`,
    );
  }
  const { index } = placed.data;
  if (index >= runCount) {
    throw new Failure(
      400,
      "index_out_of_range",
      `Line ${number} has index ${index}, but the batch was created for ${runCount} items: indexes go from 0 to ${runCount - 1}.`,
    );
  }
  const item = BatchItemLine.safeParse(value);
  const task = (value as { task?: unknown }).task;
  return {
    index,
    task: typeof task === "string" ? task.slice(0, 512) : "",
    item: item.success ? item.data : invalid(item.error),
  };
}

function parseJson(number: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(400, "invalid_item", `Line ${number} is not valid JSON: ${reason}`);
  }
}

async function prepareLines(
  preparation: RunPreparation,
  batch: BatchRecord,
  lines: Line[],
): Promise<PreparedItem[]> {
  return Promise.all(
    lines.map(async ({ index, task, item }): Promise<PreparedItem> => {
      if (item instanceof Failure) return { index, task, failure: item };
      const { payload, options } = item;
      try {
        return await prepareItem(preparation, batch, index, { task: item.task, body: { payload, options } });
      } catch (error) {
        if (error instanceof Failure) return { index, task, failure: error };
        throw error;
      }
    }),
  );
}

export type PreparedItem =
  | { index: number; task: string; failure: Failure }
  | (Awaited<ReturnType<RunPreparation["prepare"]>> & { index: number; task: string });

/** Prepares one item of a batch like a single trigger. Throws a Failure that says what is wrong with it. */
export async function prepareItem(
  preparation: RunPreparation,
  batch: Pick<BatchRecord, "id" | "parentRunId" | "parentWaits">,
  index: number,
  input: TriggerInput,
): Promise<PreparedItem> {
  const options = {
    ...input.body.options,
    parentRunId: batch.parentRunId ?? input.body.options?.parentRunId,
    parentBatch: batch.id,
  };
  const prepared = await preparation.prepare({
    ...input,
    parentWaits: batch.parentWaits,
    body: { ...input.body, options },
  });
  const waiter = { type: "batch", batchId: batch.id, index } as const;
  return { ...prepared, item: { ...prepared.item, waiter }, index, task: input.task };
}

/** Sends prepared items to the batch's object. */
export async function sendItems(
  owner: BatchOwnerRpc,
  environment: EnvironmentRef,
  batchId: string,
  prepared: PreparedItem[],
): Promise<ReceivedItems> {
  const queues = new Map<
    string,
    { queueKey: string; queue: string; partition: number; declaration: QueueDeclaration }
  >();
  const items = prepared.map((one): BatchItem => {
    const { index, task } = one;
    if ("failure" in one) return { index, task, error: one.failure.message, code: one.failure.code };
    const { target, declaration, item } = one;
    const { queueKey, queue, partition } = target;
    queues.set(queueKey, { queueKey, queue, partition, declaration });
    return { index, task, runId: item.runId, queueKey, item: JSON.stringify(item) };
  });
  const answer = await owner.addItems(environment.key, { queues: [...queues.values()], items });
  if (!answer) throw new Error(`Batch ${batchId} is gone`);
  if (answer.status === "ABORTED" && !answer.sealed) throw batchAborted(answer);
  const { accepted, deduplicated, ...batch } = answer;
  return { accepted, deduplicated, batch };
}

export function batchAborted({ id, canceled }: Pick<BatchRecord, "id" | "canceled">): Failure {
  const why =
    canceled === null
      ? `was aborted because its items did not all arrive within ${BATCH_LIMITS.sealMs / 60_000} minutes`
      : `was canceled before all of its items had arrived (${canceled})`;
  const message = `Batch ${id} ${why}. None of its runs was created: create a new batch.`;
  // Without this header, the published client would send the items again.
  return new Failure(409, "batch_aborted", message, { headers: { "x-should-retry": "false" } });
}
