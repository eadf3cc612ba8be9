import type { QueueRef, QueueRpc, TriggerItem, TriggerResult } from "@acme/durable-objects/rpc";
import { isFinal, RunStatus } from "@acme/sdk/contract";
import { enqueueRuns } from "../../durable-objects/src/routing/enqueue.ts";
import { idempotencyHomeOf } from "../../durable-objects/src/routing/keys.ts";
import { sendBatch } from "./batches.ts";
import { readForBulkAction } from "./bulk-reads.ts";
import { DEBOUNCE_TAG } from "./checks/debounce.ts";
import { LONG_DELAY_MS } from "./faults.ts";
import { intrude } from "./intruder.ts";
import { LONG_TTL_MS, MOST_PARTITIONS, type Scene } from "./scene.ts";

/** Acts as one client, which repeats each call until it is answered. */
export async function act(scene: Scene): Promise<void> {
  const draw = scene.world.random();
  if (scene.scenario.kind === "debounce" && scene.world.chance(0.8)) await triggerDebounced(scene);
  else if (scene.scenario.kind === "split" && scene.world.chance(0.25)) await split(scene);
  else if (draw < 0.06) await triggerBatch(scene);
  else if (draw < 0.16) await intrude(scene);
  else if (draw < 0.18) await pause(scene);
  else if (draw < 0.2) await split(scene);
  else if (draw < 0.46) await triggerOnce(scene);
  else if (draw < 0.49) await readForBulkAction(scene);
  else await triggerAndChange(scene);
}

/** Triggers a run, and may cancel it, move its start, or add to it. */
async function triggerAndChange(scene: Scene): Promise<void> {
  const { world } = scene;
  const ref = world.pick(scene.queues);
  const item = scene.item(ref);
  const runId = await scene.trigger(item);
  scene.invariants.outcomes.acknowledged(runId);
  const queue = scene.queue(scene.ownerOf(runId).queueKey);
  const { key } = ref.environment;
  if ((item.delayUntil !== undefined || !item.known) && world.chance(0.2)) {
    await scene.persist(() => queue.cancelRun(key, runId, "simulated cancel before the run was queued"));
    return;
  }
  if (!world.chance(0.3)) return;
  if (world.chance(0.2)) await cancelWhileRetrying(scene, queue, key, runId);
  await world.sleep(world.between(0, 10_000));
  const changes: ((queue: QueueRpc) => Promise<unknown>)[] = [
    () => queue.cancelRun(key, runId, "simulated cancel"),
    () => queue.cancelRun(key, runId, "simulated cancel"),
    () => queue.rescheduleRun(key, runId, Date.now() + world.between(0, 60_000)),
    () => queue.addTags(key, runId, [`tag-${world.between(0, 5)}`]),
    () => queue.updateMetadata(key, runId, [{ type: "increment", key: "n", value: 1 }]),
  ];
  const change = world.pick(changes);
  await scene.persist(() => change(queue));
}

/** Cancels a run between two of its attempts, if it has any. */
async function cancelWhileRetrying(
  scene: Scene,
  queue: QueueRpc,
  environmentKey: string,
  runId: string,
): Promise<void> {
  const { world } = scene;
  for (let tries = 0; tries < 60; tries++) {
    const run = await scene.persist(() => queue.retrieveRun(environmentKey, runId));
    if (!run || isFinal(run.status)) return;
    if (run.status === RunStatus.RETRYING) {
      await scene.persist(() => queue.cancelRun(environmentKey, runId, "simulated cancel"));
      return;
    }
    await world.sleep(1_000);
  }
}

/**
 * Triggers with an idempotency key, sometimes into a queue other than the task's own, which holds the key.
 */
async function triggerOnce(scene: Scene): Promise<void> {
  const { world } = scene;
  const ref = world.pick(scene.queues);
  const others = scene.queuesOf(ref.environment.key).filter((queue) => queue !== ref);
  const target = others.length > 0 && world.chance(0.5) ? world.pick(others) : ref;
  const expires = world.chance(0.3);
  const key = `${expires ? "short" : "long"}-${world.between(0, 4)}`;
  const expiresAt = Date.now() + (expires ? world.between(1_000, 40_000) : LONG_TTL_MS);
  const item = scene.item(target, {
    task: ref.queue.slice("task/".length),
    payload: JSON.stringify(expires ? {} : { onlyOne: key }),
  });
  const runId = await claimAndCreate(scene, ref, item, { key, expiresAt });
  scene.invariants.outcomes.acknowledged(runId);
  const claim = `${ref.environment.key} ${item.task} ${key}`;
  if (!expires) {
    const again = () =>
      claimAndCreate(scene, ref, scene.item(target, { task: item.task, payload: item.payload }), {
        key,
        expiresAt: Date.now() + LONG_TTL_MS,
      });
    scene.longKeys.set(claim, { runId, again });
  }
  // The claim may be decided by one clock and compared with another's.
  const skewMs = 2 * scene.scenario.faults.skewMs;
  if (runId === item.runId) scene.invariants.idempotency.claimed(claim, runId, expiresAt, skewMs);
}

/** Debounced triggers of one task into several queues. A client sends the same run again until it is answered. */
async function triggerDebounced(scene: Scene): Promise<void> {
  const { world } = scene;
  const environment = world.pick(scene.environments);
  const queues = scene.queuesOf(environment.key);
  const key = `key-${world.between(0, 2)}`;
  const until = Date.now() + world.between(1_000, 6_000);
  const item = scene.item(world.pick(queues), {
    task: (queues[0] as QueueRef).queue.slice("task/".length),
    // A trailing trigger replaces the tags but has the same key.
    tags: [`${DEBOUNCE_TAG}${key}`],
    delayUntil: until,
    ttlMs: undefined,
    debounce: { key, until, trailing: world.chance(0.5), claim: true },
  });
  const target = scene.ownerOf(item.runId);
  const queued = { target, declaration: scene.declarationOf(target), items: [item] };
  const [result] = await scene.persist(() => enqueueRuns((queueKey) => scene.queue(queueKey), queued));
  scene.invariants.outcomes.acknowledged((result as TriggerResult).runId);
}

/** Claims the key in the queue that holds it, then creates the run in its own queue, as the Worker does. */
async function claimAndCreate(
  scene: Scene,
  ref: QueueRef,
  item: TriggerItem,
  { key, expiresAt }: { key: string; expiresAt: number },
): Promise<string> {
  const { task } = item;
  const homeKey = idempotencyHomeOf(ref.environment.key, task);
  let { runId } = item;
  if (scene.ownerOf(runId).queueKey === homeKey)
    runId = await scene.trigger({ ...item, idempotency: { key, expiresAt, claim: true } });
  else {
    const claim = { task, key, runId, expiresAt };
    ({ runId, expiresAt } = await scene.persist(() => scene.queue(homeKey).claimIdempotencyKey(ref, claim)));
  }
  // The caller that claimed the key may have died before it created the run.
  const idempotency = { key, expiresAt, claim: false };
  return scene.trigger({ ...item, runId, idempotency });
}

/** Pauses a queue for a while, once. */
async function pause(scene: Scene): Promise<void> {
  const { world, invariants } = scene;
  const ref = world.pick(scene.queues);
  if (scene.paused.has(ref.queueKey)) return;
  scene.paused.add(ref.queueKey);
  const queue = scene.queue(ref.queueKey);
  const set = (paused: boolean) =>
    scene.persist(() => queue.changeSettings(ref, scene.declarationOf(ref), { type: "pause", paused }));
  await set(true);
  invariants.rates.paused(ref.queueKey, true);
  await world.sleep(world.between(0, 30_000));
  invariants.rates.paused(ref.queueKey, false);
  await set(false);
  // A late duplicate of the pause may arrive after its end. A user would see that and resume the queue again.
  await world.sleep(scene.scenario.stormMs + LONG_DELAY_MS);
  await set(false);
}

/**
 * Changes the number of partitions of a queue while runs of a key arrive, so the key may belong to another
 * partition afterwards. Not all Workers learn of the change at once.
 */
async function split(scene: Scene): Promise<void> {
  const { world } = scene;
  const limited = scene.queues.filter(({ queueKey }) => scene.limits.get(queueKey)?.concurrencyLimit);
  const ref = world.pick(limited.length > 0 ? limited : scene.queues);
  const concurrencyKey = `tenant-${world.between(1, scene.scenario.keys)}`;
  const burst = () =>
    Promise.all(
      Array.from({ length: world.between(4, 16) }, async () => {
        const runId = await scene.trigger(scene.item(ref, { concurrencyKey, delayUntil: undefined }));
        scene.invariants.outcomes.acknowledged(runId);
      }),
    );
  await world.sleep(world.between(0, 60_000));
  await burst();
  const partitions = world.between(1, MOST_PARTITIONS);
  const change = { type: "override", limits: { partitions } } as const;
  const queue = scene.queue(ref.queueKey);
  await scene.persist(() => queue.changeSettings(ref, scene.declarationOf(ref), change));
  if (world.chance(0.3)) await world.sleep(world.between(0, 5_000));
  scene.split.set(ref.queueKey, partitions);
  await burst();
}

/** Creates a batch. The last items of some batches never arrive. */
async function triggerBatch(scene: Scene): Promise<void> {
  const { world } = scene;
  const { key } = world.pick(scene.environments);
  const size = world.between(1, 40);
  const time = Date.now().toString(36).padStart(9, "0");
  const id = `batch_${key}${time}${scene.unique()}`;
  const sent = world.chance(0.15) ? world.between(0, size - 1) : size;
  await sendBatch(scene, { id, environmentKey: key, size, sent, parentRunId: null });
}

/** Fills all queues: one environment queues first and has the most runs, the others follow a moment later. */
export function fillBacklogs(scene: Scene): void {
  const { world } = scene;
  for (const [index, env] of scene.environments.entries()) {
    const count = world.between(20, 40) * (index === 0 ? 3 : 1);
    for (const ref of scene.queuesOf(env.key)) {
      for (let key = 0; key < scene.scenario.keys; key++) {
        scene.client(async () => {
          await world.sleep(index === 0 ? 0 : 2_000);
          const items = Array.from({ length: count }, () =>
            scene.item(ref, {
              concurrencyKey: `key-${key}`,
              priorityMs: 0,
              delayUntil: undefined,
              ttlMs: undefined,
              known: true,
            }),
          );
          const target = scene.partitionFor(ref, `key-${key}`);
          const queue = scene.queue(target.queueKey);
          const results = await scene.persist(() =>
            queue.triggerRuns(target, scene.declarationOf(ref), items),
          );
          for (const { runId } of results) scene.invariants.outcomes.acknowledged(runId);
        });
      }
    }
  }
}
