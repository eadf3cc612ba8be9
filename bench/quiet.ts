import { setTimeout as sleep } from "node:timers/promises";
import { now } from "./clock.ts";
import { cpuMs } from "./systems/process.ts";
import type { System } from "./systems/system.ts";

const LOOK_MS = 400;
/** Share of one core. A system below it does only housekeeping. */
const IDLE_SHARE = 0.08;
const LONGEST_MS = 15_000;

/**
 * Waits until the systems have finished what they were given (execution, compaction, projection), so that one's work
 * isn't paid for in the other's turn. Gives up after 15 s: a system that never rests pays for that itself.
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
