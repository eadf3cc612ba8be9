import type { CreateBulkActionBody } from "@acme/sdk/contract/api";
import type { z } from "zod";
import type { RunFilters } from "./filters.ts";

/** A selection of more runs than this is a bulk action, whose progress is shown and which can be stopped. */
export const DIRECTLY = 20;
/** The maximum number of runs that a bulk action accepts by their ids. */
export const BULK_RUNS = 1_000;

export const chunksOf = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));

type Body = z.input<typeof CreateBulkActionBody>;
type Filter = NonNullable<Body["filter"]>;

const some = (values: readonly string[]): string[] | undefined =>
  values.length > 0 ? [...values] : undefined;

/** Converts a list's filters to those of a bulk action. Lists name a task's queue `task/ID`. */
export function bulkFilter(filters: RunFilters): Filter {
  const queue = filters.queues.map((name) =>
    name.startsWith("task/")
      ? { type: "task" as const, name: name.slice("task/".length) }
      : { type: "custom" as const, name },
  );
  return {
    status: some(filters.statuses),
    taskIdentifier: some(filters.tasks),
    version: some(filters.versions),
    tag: some(filters.tags),
    queue: queue.length > 0 ? queue : undefined,
    batch: filters.batch,
    schedule: filters.schedule,
    bulkAction: filters.bulk,
    error: filters.error,
    from: filters.from,
    to: filters.to,
    isTest: filters.test,
    period: filters.period,
  };
}
