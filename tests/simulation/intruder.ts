import type { BatchOwnerRpc } from "@acme/durable-objects/rpc";
import { parseRunId, RunStatus } from "@acme/sdk/contract";
import { INTRUDER } from "./checks/isolation.ts";
import type { Scene } from "./scene.ts";
import { tokenObject } from "./tokens.ts";

/** Calls every method that takes an environment's key, for something that belongs to another environment. */
export async function intrude(scene: Scene): Promise<void> {
  const { world } = scene;
  await world.sleep(world.between(0, 30_000));
  const calls = [...callsAboutRuns(scene), ...callsAboutTokens(scene), ...callsAboutBatches(scene)];
  for (let count = 0; count < 3 && calls.length > 0; count++) {
    const [name, call] = world.pick(calls);
    scene.invariants.isolation.answered(name, await scene.persist(call));
  }
}

type Call = [name: string, call: () => Promise<unknown>];

/** The key of another environment. */
function otherThan(scene: Scene, environmentKey: string): string {
  const others = scene.environments.filter(({ key }) => key !== environmentKey);
  return others.length > 0 ? scene.world.pick(others).key : "intruder";
}

function callsAboutRuns(scene: Scene): Call[] {
  const runs = [...scene.invariants.runs.values()];
  if (runs.length === 0) return [];
  const { id, task } = scene.world.pick(runs);
  const { queueKey, environmentKey } = parseRunId(id) as { queueKey: string; environmentKey: string };
  const queue = scene.queue(queueKey);
  const key = otherThan(scene, environmentKey);
  const operation = { runId: id, attempt: 1, number: 0 };
  const result = { ok: true, output: INTRUDER } as const;
  return [
    ["retrieveRun", () => queue.retrieveRun(key, id)],
    ["runEvents", () => queue.runEvents(key, id)],
    ["waitForRun", () => queue.waitForRun(key, id, 0)],
    ["cancelRun", () => queue.cancelRun(key, id, INTRUDER)],
    ["rescheduleRun", () => queue.rescheduleRun(key, id, Date.now())],
    ["addTags", () => queue.addTags(key, id, [INTRUDER])],
    ["updateMetadata", () => queue.updateMetadata(key, id, [{ type: "update", value: {} }])],
    ["claimOperation", () => queue.claimOperation(key, { ...operation, kind: "run", name: "", target: id })],
    ["completeOperation", () => queue.completeOperation(key, { ...operation, result })],
    ["resetIdempotencyKey", () => queue.resetIdempotencyKey(key, task, "long-0")],
    ["queueStats", () => queue.queueStats(key)],
    ["sendChanges", () => queue.sendChanges(key)],
  ];
}

function callsAboutTokens(scene: Scene): Call[] {
  const tokens = [...scene.tokens];
  if (tokens.length === 0) return [];
  const [id, environmentKey] = scene.world.pick(tokens);
  const token = tokenObject(scene, id);
  const key = otherThan(scene, environmentKey);
  const output = { data: INTRUDER, dataType: "text/plain", isError: false };
  return [
    ["completeToken", () => token.completeToken(key, output)],
    ["retrieveToken", () => token.retrieveToken(key)],
    ["waitForToken", () => token.waitForToken(key, { runId: "run_none", attempt: 1, number: 0 })],
  ];
}

function callsAboutBatches(scene: Scene): Call[] {
  const batches = [...scene.batches];
  if (batches.length === 0) return [];
  const [id, environmentKey] = scene.world.pick(batches);
  const batch = scene.platform.stub<BatchOwnerRpc>("BATCH", id);
  const key = otherThan(scene, environmentKey);
  const result = { ok: true, output: INTRUDER } as const;
  const finished = { runId: INTRUDER, task: "", status: RunStatus.CANCELED, usageMs: 0, result };
  const item = { index: 0, task: "", error: INTRUDER, code: INTRUDER };
  return [
    ["retrieveBatch", () => batch.retrieveBatch(key)],
    ["addItems", () => batch.addItems(key, { queues: [], items: [item] })],
    ["whenEnqueued", () => batch.whenEnqueued(key)],
    ["listItems", () => batch.listItems(key)],
    ["listResults", () => batch.listResults(key, -1, 10)],
    ["runFinished", () => batch.runFinished(key, 0, finished)],
  ];
}
