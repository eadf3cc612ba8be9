import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { parseCron } from "../../durable-objects/src/environment/schedules/cron.ts";
import type { EnvironmentSchedulesRpc } from "../../durable-objects/src/environment/schedules/rpc.ts";
import { LONG_DELAY_MS } from "./faults.ts";
import type { Scene } from "./scene.ts";

const CRON = "* * * * *";
// The library draws a random number for each expression that it parses, and caches the result. Without this, a thread's first
// seed would draw one more than the others.
parseCron(CRON);

/** Schedules a task for every minute for some minutes. */
export async function keepSchedule(
  scene: Scene,
  environment: EnvironmentRef,
  deduplicationKey: string,
): Promise<void> {
  const { world, invariants, scenario } = scene;
  const object = scene.platform.stub<EnvironmentSchedulesRpc>("ENVIRONMENT", environment.key);
  const task = `task-${world.between(0, scenario.queues - 1)}`;
  const body = { task, cron: CRON, timezone: "UTC", deduplicationKey };
  await world.sleep(world.between(0, 10_000));
  let created = await scene.persist(() => object.createSchedule(environment, body));
  // Nothing was deployed yet.
  while ("error" in created) {
    await world.sleep(1_000);
    created = await scene.persist(() => object.createSchedule(environment, body));
  }
  const { id } = created;
  invariants.ticks.created(id);
  // Sometimes the whole machine is paused for several ticks.
  if (world.chance(0.15))
    world.after(world.between(30_000, 200_000), () => world.jump(world.between(200_000, 900_000)));
  await world.sleep(world.between(60_000, 400_000));
  invariants.ticks.ending(id);
  await scene.persist(() => object.deleteSchedule(id));
  // A late duplicate of the creation may arrive after the deletion. A user would see that and delete it
  // again.
  await world.sleep(scenario.stormMs + LONG_DELAY_MS);
  await scene.persist(() => object.deleteSchedule(deduplicationKey));
}
