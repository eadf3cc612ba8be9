import { load } from "../load.ts";
import { p50p99 } from "../statistics.ts";
import type { Metric } from "./metric.ts";

const SEQUENTIAL = 400;
const CLIENTS = 32;
const CONCURRENT = 4_000;

const ms = (label: string) => ({ label, unit: "ms", better: "less" }) as const;

export const triggerSequential: Metric = {
  id: "trigger",
  title: "Trigger, one client",
  how: `${SEQUENTIAL} triggers, each after the answer to the one before; workers run what is triggered`,
  figures: { p50: ms("p50"), p99: ms("p99") },
  runs: SEQUENTIAL,
  async round(system, _marks, runs) {
    const { latencies } = await load(1, runs, (i) => system.trigger({ i }));
    return p50p99(latencies);
  },
};

export const triggerConcurrent: Metric = {
  id: "trigger32",
  title: `Trigger, ${CLIENTS} clients`,
  how: `${CONCURRENT} triggers by ${CLIENTS} clients; workers run what is triggered`,
  figures: {
    rate: { label: "triggers", unit: "/s", better: "more" },
    p50: ms("p50"),
    p99: ms("p99"),
  },
  runs: CONCURRENT,
  async round(system, _marks, runs) {
    const { latencies, elapsedMs } = await load(CLIENTS, runs, (i) => system.trigger({ i }));
    return { rate: (runs / elapsedMs) * 1000, ...p50p99(latencies) };
  },
};
