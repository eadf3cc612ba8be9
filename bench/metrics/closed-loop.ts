import { load } from "../load.ts";
import { p50p99 } from "../statistics.ts";
import type { Metric } from "./metric.ts";

const IN_FLIGHT = 50;
const RUNS = 2_000;

export const closedLoop: Metric = {
  id: "loop",
  title: `Closed loop, ${IN_FLIGHT} in flight`,
  how: `${RUNS} runs, each triggered and waited for by one of ${IN_FLIGHT} clients, in one call`,
  ofQueues: true,
  figures: {
    rate: { label: "runs", unit: "/s", better: "more" },
    p50: { label: "p50", unit: "ms", better: "less" },
    p99: { label: "p99", unit: "ms", better: "less" },
  },
  runs: RUNS,
  async round(system, _marks, runs) {
    const { latencies, elapsedMs } = await load(IN_FLIGHT, runs, (i) => system.runToEnd({ i }));
    return { rate: (runs / elapsedMs) * 1000, ...p50p99(latencies) };
  },
};
