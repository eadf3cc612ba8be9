import { parseArgs } from "node:util";
import { METRICS } from "./metrics/index.ts";

export const SYSTEMS = ["acme", "restate", "bullmq", "graphile"] as const;
export type SystemId = (typeof SYSTEMS)[number];

export interface BenchOptions {
  systems: SystemId[];
  metrics: string[];
  rounds: number;
  /** Runs of a round, instead of the metric's own. */
  runs?: number;
  profile: boolean;
  /** Another checkout to measure instead of other systems. */
  baseline?: string;
}

export const USAGE = `npm run bench -- [options]
  --only SYSTEM         measure this one (may be repeated): ${SYSTEMS.join(", ")}
  --metric ID           measure one metric (may be repeated): ${METRICS.map((metric) => metric.id).join(", ")}
  --baseline DIR        Acme only: beside another checkout of it, with its dependencies installed
  --rounds N            rounds of each metric, 1 to 99 (default 5)
  --runs N              runs of a round, 50 to 100000, instead of each metric's own: for a busy machine
  --profile             Acme only: V8 CPU profiles of workerd and the container host during each metric`;

/** @throws Error with what to do instead */
export function parseOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true },
      metric: { type: "string", multiple: true },
      rounds: { type: "string", default: "5" },
      runs: { type: "string" },
      profile: { type: "boolean", default: false },
      baseline: { type: "string" },
    },
  });
  const known = METRICS.map((metric) => metric.id);
  const metrics = values.metric ?? known;
  const unknown = metrics.find((id) => !known.includes(id));
  if (unknown) throw new Error(`There is no metric ${unknown}: give one of ${known.join(", ")}.`);
  const { baseline } = values;
  const only: readonly string[] =
    values.profile || baseline !== undefined ? ["acme"] : (values.only ?? SYSTEMS);
  const strange = only.find((id) => !SYSTEMS.some((system) => system === id));
  if (strange) throw new Error(`There is no system ${strange}: give one of ${SYSTEMS.join(", ")}.`);
  const systems = SYSTEMS.filter((id) => only.includes(id));
  if (!/^[1-9]\d?$/.test(values.rounds)) throw new Error("--rounds is a number from 1 to 99.");
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs >= 50 && runs <= 100_000))
    throw new Error("--runs is a number from 50 to 100000.");
  return { runs, systems, metrics, rounds: Number(values.rounds), profile: values.profile, baseline };
}
