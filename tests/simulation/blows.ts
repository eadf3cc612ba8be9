import type { SimulatedHost } from "./host.ts";
import type { Scene } from "./scene.ts";

/** Makes machines fail now and then, until `isOver`. */
export function strike(scene: Scene, hosts: SimulatedHost[], isOver: () => boolean): void {
  const { world, scenario } = scene;
  world.after(world.between(1, scenario.blowEveryMs * 2), () => {
    if (isOver()) return;
    blow(scene, hosts);
    strike(scene, hosts, isOver);
  });
}

function blow(scene: Scene, hosts: SimulatedHost[]): void {
  const { world, platform } = scene;
  const draw = world.random();
  if (draw < 0.4) {
    const host = world.pick(hosts);
    if (world.chance(0.3)) host.leave();
    else host.kill();
    world.after(world.between(0, 90_000), () => host.start());
    return;
  }
  if (draw < 0.45) {
    world.jump(world.pick([1_000, 20_000, 70_000, 400_000]));
    return;
  }
  const { running } = platform;
  if (running.length === 0) return;
  if (draw < 0.65) platform.evict(world.pick(running));
  else if (draw < 0.75) platform.setClock(world.pick(running));
  else if (draw < 0.92) platform.crash(world.pick(running));
  else {
    // The whole server fails at once, as on one machine, with or without its own host.
    for (const id of running) platform.crash(id);
    if (!world.chance(0.5)) return;
    for (const host of hosts) {
      host.kill();
      world.after(world.between(0, 10_000), () => host.start());
    }
  }
}
