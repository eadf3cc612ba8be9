import { setTimeout as sleep } from "node:timers/promises";
import { task } from "@acme/sdk";

/** Takes its time. `signal` is aborted when the run is canceled or has run too long, so that the work can stop. */
export const sleepy = task({
  id: "sleepy",
  run: async (payload: { ms: number }, { signal }) => {
    const startedAt = performance.now();
    await sleep(payload.ms, undefined, { signal });
    return { sleptMs: Math.round(performance.now() - startedAt) };
  },
});
