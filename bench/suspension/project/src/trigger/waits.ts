import { task, wait } from "@acme/sdk";

/** Waits until a time and returns how late it resumed. Times are in milliseconds since the epoch. */
export const waits = task({
  id: "waits",
  run: async ({ until }: { until: number }) => {
    await wait.until({ date: new Date(until) });
    // Neither is recorded: both belong to the process that resumed.
    return { lateMs: performance.timeOrigin + performance.now() - until, pid: process.pid };
  },
});
