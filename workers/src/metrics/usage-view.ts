import type { Used } from "@acme/sdk/contract/api";
import { costOf } from "../views/run-cost.ts";
import type { UsedRow } from "./metric-queries.ts";

export function usedOf(rows: UsedRow[]): Used {
  const used: Used = {
    runs: 0,
    computeSeconds: 0,
    computeCostInCents: 0,
    baseCostInCents: 0,
    costInCents: 0,
  };
  for (const { machine, runs, usageMs } of rows) {
    const { costInCents, baseCostInCents } = costOf({ machine, usageMs, startedAt: 0 });
    used.runs += runs;
    used.computeSeconds += usageMs / 1_000;
    used.computeCostInCents += costInCents;
    used.baseCostInCents += baseCostInCents * runs;
  }
  used.costInCents = used.computeCostInCents + used.baseCostInCents;
  return used;
}

/** Returns the usage by each value of a field. */
export const usedBy = (rows: UsedRow[], field: "key" | "machine"): (Used & { name: string })[] =>
  [...Map.groupBy(rows, (row) => row[field])].map(([name, own]) => ({ name, ...usedOf(own) }));

export const costliestFirst = (a: Used & { name: string }, b: Used & { name: string }): number =>
  b.costInCents - a.costInCents || b.runs - a.runs || (a.name < b.name ? -1 : 1);
