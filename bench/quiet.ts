import { setTimeout as sleep } from "node:timers/promises";
import { now } from "./clock.ts";
import { cpuMs } from "./systems/process.ts";
import type { System } from "./systems/system.ts";

const LOOK_MS = 400;
/** Share of one core below which a system does only housekeeping. */
const IDLE_SHARE = 0.08;
const LONGEST_MS = 15_000;

/**
 * Waits until the systems have finished their work (execution, compaction, projection), so that the work of
 * one is not charged to the other's turn. Gives up after 15 s: a system that is never idle pays for that
 * itself.
 */
export async function untilQuiet(
  systems: readonly Pick<System, "serverPids" | "workerPids">[],
): Promise<void> {
  const pids = (): number[] => systems.flatMap((system) => [...system.serverPids(), ...system.workerPids()]);
  for (const start = now(); now() - start < LONGEST_MS; ) {
    const watched = pids();
    const before = cpuMs(watched);
    await sleep(LOOK_MS);
    if (cpuMs(watched) - before <= LOOK_MS * IDLE_SHARE) return;
  }
}
