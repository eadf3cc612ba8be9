import { nextRetryDelay } from "../contract/retry-delay.ts";
import type { TaskRunError } from "../contract/run-errors.ts";
import { BatchTriggerError } from "../trigger/batch-trigger-error.ts";
import type { RetrievedBatch } from "../trigger/batch-types.ts";
import { unrecorded } from "../wait/durable.ts";
import { type ApiResponse, request, sleep } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

/** Attempts to send all items of a batch. */
const STREAM_RETRY = { maxAttempts: 5, factor: 2, minTimeoutInMs: 500, maxTimeoutInMs: 10_000 };

export interface BatchLine {
  index: number;
  task: string;
  payload?: unknown;
  options: object;
}
export interface CreatedBatch {
  id: string;
  runCount: number;
  isCached: boolean;
  publicAccessToken: string;
}
export type BatchResultItem = { index: number; id: string; taskIdentifier: string } & (
  | { ok: true; output?: string; outputType: string }
  | { ok: false; error: TaskRunError }
);

/**
 * Creates a batch and sends its items. If the idempotency key or the operation names a batch that already has
 * all of its items, that one is returned and nothing is sent.
 * @throws BatchTriggerError
 */
export async function sendBatch(
  body: { runCount: number; taskIdentifiers: string[]; [field: string]: unknown },
  lines: BatchLine[],
  options: ApiRequestOptions | undefined,
  itemOptions: ApiRequestOptions | undefined,
): Promise<CreatedBatch> {
  const itemCount = lines.length;
  let created: ApiResponse<Omit<CreatedBatch, "publicAccessToken">>;
  try {
    created = await request({ method: "POST", path: "/api/v3/batches", body }, options);
  } catch (cause) {
    const message = `The batch of ${itemCount} items could not be created`;
    throw new BatchTriggerError(message, { cause, phase: "create", itemCount });
  }
  const { data, response } = created;
  if (!data.isCached) await sendItems(data.id, lines, itemOptions);
  return { ...data, publicAccessToken: response.headers.get("x-trigger-jwt") ?? "" };
}

async function sendItems(
  batchId: string,
  lines: BatchLine[],
  options: ApiRequestOptions | undefined,
): Promise<void> {
  const itemCount = lines.length;
  const texts = lines.map((line) => `${JSON.stringify(line)}\n`);
  const path = `/api/v3/batches/${encodeURIComponent(batchId)}/items`;
  const failed = (cause: unknown) => {
    const message = `The ${itemCount} items of batch ${batchId} could not be sent`;
    return new BatchTriggerError(message, { cause, phase: "stream", batchId, itemCount });
  };
  for (let attempt = 1; ; attempt++) {
    let answer: { sealed: boolean; enqueuedCount?: number; expectedCount?: number };
    try {
      answer = (await request<typeof answer>({ method: "POST", path, lines: texts }, options)).data;
    } catch (cause) {
      throw failed(cause);
    }
    if (answer.sealed) return;
    // The server keeps the items that arrived, so sending all of them again fills the gaps.
    const delay = unrecorded(() => nextRetryDelay(STREAM_RETRY, attempt));
    if (delay === undefined) {
      const { enqueuedCount = 0, expectedCount = itemCount } = answer;
      throw failed(new Error(`only ${enqueuedCount} of ${expectedCount} arrived`));
    }
    await sleep(delay, options?.signal);
  }
}

/** Returns the results of all items of a finished batch, in the order of the items. */
export async function getBatchResults(
  batchId: string,
  options?: ApiRequestOptions,
): Promise<BatchResultItem[]> {
  const path = `/api/v1/batches/${encodeURIComponent(batchId)}/results`;
  const items: BatchResultItem[] = [];
  for (let after: string | undefined; ; ) {
    const query = new URLSearchParams({ "page[size]": "1000" });
    if (after !== undefined) query.set("page[after]", after);
    const { data } = await request<{ items: BatchResultItem[]; pagination?: { next?: string } }>(
      { method: "GET", path: `${path}?${query}` },
      options,
    );
    items.push(...data.items);
    after = data.pagination?.next;
    if (after === undefined) return items;
  }
}

type BatchBody = { [K in keyof RetrievedBatch]: RetrievedBatch[K] extends Date ? string : RetrievedBatch[K] };

export async function getBatch(
  batchId: string,
  options?: ApiRequestOptions,
): Promise<ApiResponse<RetrievedBatch>> {
  const path = `/api/v2/batches/${encodeURIComponent(batchId)}`;
  const { data, response } = await request<BatchBody>({ method: "GET", path }, options);
  const { completedAt } = data.processing;
  const batch = {
    ...data,
    createdAt: new Date(data.createdAt),
    updatedAt: new Date(data.updatedAt),
    processing: { ...data.processing, completedAt: completedAt ? new Date(completedAt) : undefined },
  };
  return { data: batch, response };
}
