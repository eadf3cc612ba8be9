import type { LiveFilter } from "@acme/sdk/live";
import type { RunFilters } from "../runs/filters.ts";

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const some = <T>(values: readonly T[]): T[] | undefined => (values.length > 0 ? [...values] : undefined);

/** The filter of a live subscription that finds what a list's filters find. */
export function liveFilter(filters: RunFilters, now: number): LiveFilter {
  const [, amount, unit] = /^(\d+)([mhdw])$/.exec(filters.period ?? "") ?? [];
  return {
    statuses: some(filters.statuses),
    tasks: some(filters.tasks),
    tags: some(filters.tags),
    queues: some(filters.queues),
    versions: some(filters.versions),
    batch: filters.batch,
    schedule: filters.schedule,
    isTest: filters.test,
    from: amount && unit ? now - Number(amount) * (UNITS[unit] ?? 0) : undefined,
  };
}
