import { setTimeout as sleep } from "node:timers/promises";
import { task } from "@acme/sdk";

/**
 * Takes a while. `signal` is aborted when the run is canceled or exceeds its `maxDuration`, so that the work
 * can stop.
 */
export const sleepy = task({
  id: "sleepy",
  run: async (payload: { ms: number }, { signal }) => {
    const startedAt = performance.now();
    await sleep(payload.ms, undefined, { signal });
    return { sleptMs: Math.round(performance.now() - startedAt) };
  },
});
