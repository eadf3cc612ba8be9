import { setTimeout as sleep } from "node:timers/promises";
import { now } from "../clock.ts";
import { p50p99 } from "../statistics.ts";
import type { Metric } from "./metric.ts";

const RUNS = 200;
/** Time between the start of one run and the next trigger, by when the first run has ended. */
const PAUSE_MS = 10;

export const start: Metric = {
  id: "start",
  title: "Trigger → task function started",
  how: `${RUNS} runs one at a time, from before the trigger's request to the function's first line (one clock)`,
  figures: {
    p50: { label: "p50", unit: "ms", better: "less" },
    p99: { label: "p99", unit: "ms", better: "less" },
  },
  runs: RUNS,
  async round(system, marks, runs) {
    const latencies: number[] = [];
    for (let i = 0; i < runs; i++) {
      marks.clear();
      const triggered = now();
      await system.trigger({ i, marks: marks.path });
      const starts = await marks.until(1);
      latencies.push(starts.get(i)! - triggered);
      await sleep(PAUSE_MS);
    }
    return p50p99(latencies);
  },
};
