import type { BatchOwnerRpc, BatchResult, TriggerItem } from "@acme/durable-objects/rpc";
import { INTRUDER } from "./checks/isolation.ts";
import type { Scene } from "./scene.ts";

interface Batch {
  id: string;
  environmentKey: string;
  size: number;
  parentRunId: string | null;
  waiter?: { runId: string; attempt: number; number: number };
  /** Number of items that are sent. If it is less than `size`, the rest never arrives. */
  sent: number;
}

const batchObject = (scene: Scene, id: string) => scene.platform.stub<BatchOwnerRpc>("BATCH", id);

/** Creates a batch and sends its items in pieces, some of them twice and out of order. May be called again. */
export async function sendBatch(scene: Scene, batch: Batch): Promise<void> {
  const { world } = scene;
  const { id, environmentKey, size } = batch;
  const owner = batchObject(scene, id);
  const environment = scene.environments.find(({ key }) => key === environmentKey);
  if (!environment) throw new Error(`No environment ${environmentKey}`);
  const isNew = !scene.batches.has(id);
  scene.batches.set(id, environmentKey);
  await scene.persist(() =>
    owner.createBatch({
      id,
      environment,
      runCount: size,
      idempotencyKey: null,
      parentRunId: batch.parentRunId,
      ancestors: batch.parentRunId ? [batch.parentRunId] : [],
      waiter: batch.waiter,
    }),
  );
  if (isNew) scene.client(() => watchBatch(scene, batch));
  const chunks: number[][] = [];
  for (let start = 0; start < batch.sent; start += 7) {
    const indexes = Array.from({ length: Math.min(7, batch.sent - start) }, (_, offset) => start + offset);
    chunks.splice(world.between(0, chunks.length), 0, indexes);
    if (world.chance(0.1)) chunks.push(indexes);
  }
  for (const indexes of chunks) {
    const items = indexes.map((index) => batchItem(scene, batch, index));
    const queues = items.map(({ ref }) => ({ ...ref, declaration: scene.declarationOf(ref) }));
    await scene.persist(() =>
      owner.addItems(environmentKey, { queues, items: items.map((one) => one.item) }),
    );
  }
}

function batchItem(scene: Scene, batch: Batch, index: number) {
  // An item that is sent again names the same task.
  const refs = scene.queuesOf(batch.environmentKey);
  const ref = refs[index % refs.length] as (typeof refs)[number];
  const item: TriggerItem = scene.item(ref, {
    payload: JSON.stringify({ onlyOne: `${batch.id} ${index}` }),
    batchId: batch.id,
    parentRunId: batch.parentRunId ?? undefined,
    depth: batch.parentRunId ? 1 : 0,
    waiter: { type: "batch", batchId: batch.id, index },
  });
  const { runId, task } = item;
  const target = scene.ownerOf(runId);
  return { ref: target, item: { index, task, runId, queueKey: target.queueKey, item: JSON.stringify(item) } };
}

/** Waits for the end of the batch, and checks that it did not end too early and has all results. */
async function watchBatch(scene: Scene, { id, environmentKey, size }: Batch): Promise<void> {
  const { world, invariants } = scene;
  const owner = batchObject(scene, id);
  for (;;) {
    await world.sleep(world.between(1_000, 20_000));
    const record = await scene.persist(() => owner.retrieveBatch(environmentKey));
    if (!record) invariants.violations.report(1, `batch ${id} was acknowledged and is gone`);
    if (record?.completedAt === null) continue;
    const results: BatchResult[] = [];
    for (let last = -1; ; last = results.at(-1)?.index ?? last) {
      const page = await scene.persist(() => owner.listResults(environmentKey, last, 50));
      results.push(...(page?.results ?? []));
      if (!page?.more) break;
    }
    if (JSON.stringify(results).includes(INTRUDER))
      invariants.violations.report(9, `batch ${id} has a result from another environment`);
    if (record?.status === "ABORTED") return;
    const indexes = results.map(({ index }) => index).join();
    if (indexes !== Array.from({ length: size }, (_, index) => index).join())
      invariants.violations.report(1, `batch ${id} of ${size} is over with the results ${indexes}`);
    for (const { runId } of results) {
      if (runId && !invariants.outcomes.has(runId))
        invariants.violations.report(1, `batch ${id} is over and its run ${runId} is not`);
      if (runId) invariants.outcomes.acknowledged(runId);
    }
    return;
  }
}
