import { parseEnvironmentId } from "@acme/durable-objects/routing";
import type { BatchRecord, EnvironmentRef } from "@acme/durable-objects/rpc";
import type { BatchSummary, ListBatchesResponse } from "@acme/sdk/contract/api";
import type { z } from "zod";
import type { Bindings } from "../bindings.ts";
import { batchObjectOf } from "../objects.ts";
import { openRepository } from "../storage/open.ts";
import { isoTime, optionalTime } from "../views/time.ts";

/** The query side knows which batches exist, and each batch's object knows its progress. */
export async function listBatches(
  env: Bindings,
  environment: EnvironmentRef,
  size: number,
  after: string | undefined,
): Promise<z.infer<typeof ListBatchesResponse>> {
  if (after !== undefined && parseEnvironmentId(after)?.environmentKey !== environment.key)
    return { data: [], pagination: {} };
  const ids = await openRepository(env).listBatchIds(environment.key, size + 1, after);
  const page = ids.slice(0, size);
  const records = await Promise.all(page.map((id) => batchObjectOf(env, id).retrieveBatch(environment.key)));
  return {
    // A batch that its object has deleted is left out.
    data: records.filter((record) => record !== null).map(summaryOf),
    pagination: { next: ids.length > size ? page.at(-1) : undefined },
  };
}

const summaryOf = (batch: BatchRecord): BatchSummary => ({
  id: batch.id,
  status: batch.status,
  idempotencyKey: batch.idempotencyKey ?? undefined,
  parentRunId: batch.parentRunId ?? undefined,
  createdAt: isoTime(batch.createdAt),
  updatedAt: isoTime(batch.updatedAt),
  finishedAt: optionalTime(batch.completedAt),
  runCount: batch.runCount,
  completedCount: batch.completedCount,
  refusedCount: batch.refusedCount,
});
