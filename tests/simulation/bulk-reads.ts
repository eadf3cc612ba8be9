import type { EnvironmentRpc } from "@acme/durable-objects/rpc";
import { parseRunId } from "@acme/sdk/contract";
import type { Scene } from "./scene.ts";

/** The number of queues that are asked at once. */
const QUEUES = 5;

/**
 * What a bulk action does before it reads the runs of its filter: each queue of the environment sends its changes to the
 * query side, which then has every run as it was when the action began, or later.
 */
export async function readForBulkAction(scene: Scene): Promise<void> {
  const { world, invariants, platform } = scene;
  await world.sleep(world.between(0, 60_000));
  const { key } = world.pick(scene.environments);
  const environment = platform.stub<EnvironmentRpc>("ENVIRONMENT", key);
  const isDeployed = scene.deployed.has(key);
  const before = [...invariants.runs.values()].map(({ id, version }) => ({ id, version }));
  const asked = new Set<string>();
  for (let after = ""; ; ) {
    const keys = await scene.persist(() => environment.queueKeys(after, QUEUES));
    const last = keys.at(-1);
    if (last === undefined) break;
    await Promise.all(keys.map((queueKey) => scene.persist(() => scene.queue(queueKey).sendChanges(key))));
    for (const queueKey of keys) asked.add(queueKey);
    after = last;
  }
  invariants.projections.sent(before.filter(({ id }) => asked.has(parseRunId(id)?.queueKey ?? "")));
  // What is declared is asked also if its first report was lost.
  if (isDeployed)
    for (const { queueKey } of scene.queuesOf(key)) invariants.projections.asked(queueKey, asked);
}
