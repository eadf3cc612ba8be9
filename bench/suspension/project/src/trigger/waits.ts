import { task, wait } from "@acme/sdk";

/** Waits until then, and says how late it went on. Times in milliseconds since the epoch. */
export const waits = task({
  id: "waits",
  run: async ({ until }: { until: number }) => {
    await wait.until({ date: new Date(until) });
    // Neither is recorded: both are of the process that went on.
    return { lateMs: performance.timeOrigin + performance.now() - until, pid: process.pid };
  },
});
