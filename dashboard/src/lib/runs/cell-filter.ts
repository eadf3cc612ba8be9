import type { PublicRunStatus } from "@acme/sdk/contract";
import type { RunFilters } from "./filters.ts";
import { STATUS } from "./status.ts";

export type FilterField = "statuses" | "tasks" | "queues" | "tags" | "versions" | "batch";

const isStatus = (value: string): value is PublicRunStatus => Object.hasOwn(STATUS, value);

export function isFiltered(filters: RunFilters, field: FilterField, value: string): boolean {
  if (field === "batch") return filters.batch === value;
  return (filters[field] as readonly string[]).includes(value);
}

/** Toggles a value in the filters. */
export function toggled(filters: RunFilters, field: FilterField, value: string): RunFilters {
  const on = isFiltered(filters, field, value);
  if (field === "batch") return { ...filters, batch: on ? undefined : value };
  if (field === "statuses") {
    if (!isStatus(value)) return filters;
    return {
      ...filters,
      statuses: on ? filters.statuses.filter((other) => other !== value) : [...filters.statuses, value],
    };
  }
  const values = filters[field];
  return { ...filters, [field]: on ? values.filter((other) => other !== value) : [...values, value] };
}
