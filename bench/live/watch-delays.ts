import type { LiveClient } from "@acme/sdk/live";

export interface Delays {
  /** The first state came. */
  open: boolean;
  /** Milliseconds from the time of a change to its callback, one for each state that came. */
  ms: number[];
  /** Runs whose end came. */
  ended: number;
}

/** Records how long each line of a run's log takes to arrive, from the task's call of the logger. */
export function watchLines(client: LiveClient, runId: string): Delays {
  const delays: Delays = { open: false, ms: [], ended: 0 };
  client.logs(runId, (lines) => {
    const now = Date.now();
    delays.open = true;
    for (const { time } of lines) delays.ms.push(now - time);
  });
  return delays;
}

/**
 * Records how long each change of the runs with a tag takes to arrive. Server and client share the machine's
 * clock.
 */
export function watchDelays(client: LiveClient, tag: string): Delays {
  const delays: Delays = { open: false, ms: [], ended: 0 };
  const seen = new Map<string, number>();
  client.runs({ filter: { tags: [tag] }, limit: 1_000 }, ({ runs }) => {
    const now = Date.now();
    delays.open = true;
    for (const run of runs) {
      if (seen.get(run.id) === run.position) continue;
      seen.set(run.id, run.position);
      delays.ms.push(now - Date.parse(run.updatedAt));
      if (run.isCompleted) delays.ended += 1;
    }
  });
  return delays;
}
