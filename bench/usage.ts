import { readFileSync } from "node:fs";
import { cpuMs, TICK_MS } from "./systems/process.ts";
import type { System } from "./systems/system.ts";

export interface Usage {
  /** Milliseconds of CPU time of the system's server and of its workers. */
  serverMs: number;
  workersMs: number;
  /** Share of the machine that others used: neither the systems nor the client. 0 to 1. */
  othersShare: number;
}

/** Runs `work` and returns which processes used the processors meanwhile. Processes that ended meanwhile are not counted. */
export async function withUsage<T>(
  system: System,
  all: readonly System[],
  work: () => Promise<T>,
): Promise<{ result: T; usage: Usage }> {
  const ours = (): number[] => [process.pid, ...all.flatMap((s) => [...s.serverPids(), ...s.workerPids()])];
  const before = { server: cpuMs(system.serverPids()), machine: machineMs(), ours: byPid(ours()) };
  const workersBefore = byPid(system.workerPids());
  const result = await work();
  const machine = machineMs();
  const busy = machine.busy - before.machine.busy;
  return {
    result,
    usage: {
      serverMs: cpuMs(system.serverPids()) - before.server,
      workersMs: grown(workersBefore, byPid(system.workerPids())),
      othersShare: Math.max(0, busy - grown(before.ours, byPid(ours()))) / (machine.all - before.machine.all),
    },
  };
}

const byPid = (pids: readonly number[]): Map<number, number> =>
  new Map(pids.map((pid) => [pid, cpuMs([pid])]));

const grown = (before: Map<number, number>, after: Map<number, number>): number =>
  [...after].reduce((sum, [pid, ms]) => sum + ms - (before.get(pid) ?? 0), 0);

/** Time of all processors since the machine started, in milliseconds. */
function machineMs(): { busy: number; all: number } {
  const [user, nice, system, idle, iowait, irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
    .split("\n")[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) * TICK_MS) as [number, ...number[]];
  const busy = user + nice! + system! + irq! + softirq! + steal!;
  return { busy, all: busy + idle! + iowait! };
}
