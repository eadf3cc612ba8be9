import { load } from "../load.ts";
import { STEPS } from "../project/src/trigger/steps-count.ts";
import { p50p99 } from "../statistics.ts";
import type { Metric } from "./metric.ts";

const RUNS = 200;

export const steps: Metric = {
  id: "steps",
  title: `A run of ${STEPS} durable steps`,
  how: `${RUNS} runs one at a time, from the trigger to the result; each step is durable before the next one begins`,
  figures: {
    p50: { label: "p50", unit: "ms", better: "less" },
    p99: { label: "p99", unit: "ms", better: "less" },
  },
  runs: RUNS,
  async round(system, _marks, runs) {
    const { latencies } = await load(1, runs, (i) => system.runToEnd({ i }, "steps"));
    return p50p99(latencies);
  },
};
