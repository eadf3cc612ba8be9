import { now } from "../clock.ts";
import { load } from "../load.ts";
import type { System } from "../systems/system.ts";
import type { Metric } from "./metric.ts";

const RUNS = 10_000;
const CLIENTS = 32;
/** Number of the most recently started runs that are checked for having finished. */
const LAST = 200;

/**
 * Workers are stopped with SIGSTOP while the backlog is queued, and continued with SIGCONT. Both systems then
 * have warm workers that take nothing, and neither sees an error from which it would back off (with Restate's
 * service down, its retries would wait for up to a minute; with Acme's host down, its start would count).
 * Work that a system has already sent to the stopped workers (Acme: the waiting polls; Restate: its invoker's
 * streams, at most 1,000) is in their sockets when they continue.
 */
async function withWorkersHeld<T>(system: System, work: () => Promise<T>): Promise<T> {
  // Hosts first: a stopped host starts no more processes.
  const pids = system.workerPids();
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  try {
    return await work();
  } finally {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  }
}

export const drain: Metric = {
  id: "drain",
  title: `Drain of ${RUNS} queued runs`,
  how: "workers stopped (SIGSTOP) while the backlog is queued; from SIGCONT to the start of the last task function; then all are seen to be finished",
  ofQueues: true,
  figures: {
    rate: { label: "runs", unit: "/s", better: "more" },
    enqueue: { label: "queued, no worker", unit: "/s", better: "more" },
    settled: { label: "finished after", unit: "ms", better: "less" },
  },
  runs: RUNS,
  maxRounds: 3,
  async warmUp(system, marks) {
    marks.clear();
    await load(CLIENTS, 1_000, (i) => system.trigger({ i, marks: marks.path }));
    await marks.until(1_000);
  },
  async round(system, marks, runs) {
    marks.clear();
    const handles: string[] = [];
    const { elapsedMs } = await withWorkersHeld(system, () =>
      load(CLIENTS, runs, async (i) => {
        handles[i] = await system.trigger({ i, marks: marks.path });
      }),
    );
    const released = now();
    const starts = await marks.until(runs);
    const last = Math.max(...starts.values());
    const latest = [...starts].sort(([, a], [, b]) => b - a).slice(0, LAST);
    await system.untilFinished(latest.map(([i]) => handles[i]!));
    return {
      rate: (runs / (last - released)) * 1000,
      enqueue: (runs / elapsedMs) * 1000,
      settled: now() - released,
    };
  },
};
