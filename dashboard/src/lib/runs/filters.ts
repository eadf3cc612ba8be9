import type { PublicRunStatus } from "@acme/sdk/contract";
import { formatMinute } from "../format/time.ts";
import { STATUS } from "./status.ts";

/** The filters of the runs list, as stored in the address. */
export interface RunFilters {
  statuses: PublicRunStatus[];
  tasks: string[];
  tags: string[];
  queues: string[];
  versions: string[];
  batch?: string;
  schedule?: string;
  /** Runs that a bulk action canceled, or copies that it made. */
  bulk?: string;
  /** Runs that failed with this error. */
  error?: string;
  test?: boolean;
  /** A duration back from now, such as `1h` or `7d`. */
  period?: string;
  /** Created between these moments, in milliseconds since the epoch: a part of a chart. */
  from?: number;
  to?: number;
}

export const NO_FILTERS: RunFilters = { statuses: [], tasks: [], tags: [], queues: [], versions: [] };

const LISTS = [
  ["status", "statuses"],
  ["task", "tasks"],
  ["tag", "tags"],
  ["queue", "queues"],
  ["version", "versions"],
] as const;

/** Unknown parameters of the address are ignored. */
export function parseFilters(query: Pick<URLSearchParams, "get" | "getAll">): RunFilters {
  const list = (name: string) => query.getAll(name).filter((value) => value !== "");
  const test = query.get("test");
  return {
    statuses: list("status").filter((value): value is PublicRunStatus => Object.hasOwn(STATUS, value)),
    tasks: list("task"),
    tags: list("tag"),
    queues: list("queue"),
    versions: list("version"),
    batch: query.get("batch") || undefined,
    schedule: query.get("schedule") || undefined,
    bulk: query.get("bulk") || undefined,
    error: query.get("error") || undefined,
    from: momentOf(query.get("from")),
    to: momentOf(query.get("to")),
    test: test === "true" ? true : test === "false" ? false : undefined,
    period: /^\d+[mhdw]$/.test(query.get("period") ?? "") ? query.get("period")! : undefined,
  };
}

const momentOf = (text: string | null): number | undefined =>
  text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;

export function serializeFilters(filters: RunFilters): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, field] of LISTS) for (const value of filters[field]) query.append(name, value);
  if (filters.batch) query.set("batch", filters.batch);
  if (filters.schedule) query.set("schedule", filters.schedule);
  if (filters.bulk) query.set("bulk", filters.bulk);
  if (filters.error) query.set("error", filters.error);
  if (filters.from !== undefined) query.set("from", String(filters.from));
  if (filters.to !== undefined) query.set("to", String(filters.to));
  if (filters.test !== undefined) query.set("test", String(filters.test));
  if (filters.period) query.set("period", filters.period);
  return query;
}

/**
 * Returns the query of `GET /api/v1/runs`. The API can't filter by values with a comma, because it splits
 * lists at commas.
 */
export function apiQuery(filters: RunFilters): Record<string, string | undefined> {
  const join = (values: string[]) => (values.length > 0 ? values.join(",") : undefined);
  return {
    "filter[status]": join(filters.statuses),
    "filter[taskIdentifier]": join(filters.tasks),
    "filter[tag]": join(filters.tags),
    "filter[queue]": join(filters.queues),
    "filter[version]": join(filters.versions),
    "filter[batch]": filters.batch,
    "filter[schedule]": filters.schedule,
    "filter[bulkAction]": filters.bulk,
    "filter[error]": filters.error,
    "filter[createdAt][from]": momentText(filters.from),
    "filter[createdAt][to]": momentText(filters.to),
    "filter[isTest]": filters.test === undefined ? undefined : String(filters.test),
    "filter[createdAt][period]": filters.period,
  };
}

const momentText = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : new Date(time).toISOString();

export interface FilterChip {
  /** Name of the filter, as it is shown. */
  name: string;
  value: string;
  without: RunFilters;
}

/** One chip for each value. */
export function chipsOf(filters: RunFilters): FilterChip[] {
  const names = { statuses: "Status", tasks: "Task", tags: "Tag", queues: "Queue", versions: "Version" };
  const chips: FilterChip[] = LISTS.flatMap(([, field]) =>
    (filters[field] as string[]).map((value) => ({
      name: names[field],
      value: field === "statuses" ? STATUS[value as PublicRunStatus].label : value,
      without: { ...filters, [field]: (filters[field] as string[]).filter((other) => other !== value) },
    })),
  );
  if (filters.batch)
    chips.push({ name: "Batch", value: filters.batch, without: { ...filters, batch: undefined } });
  if (filters.schedule)
    chips.push({ name: "Schedule", value: filters.schedule, without: { ...filters, schedule: undefined } });
  if (filters.bulk)
    chips.push({ name: "Bulk action", value: filters.bulk, without: { ...filters, bulk: undefined } });
  if (filters.error)
    chips.push({ name: "Error", value: filters.error, without: { ...filters, error: undefined } });
  if (filters.from !== undefined || filters.to !== undefined) {
    const at = (time: number | undefined) => (time === undefined ? "…" : formatMinute(time));
    chips.push({
      name: "Created",
      value: `${at(filters.from)} – ${at(filters.to)}`,
      without: { ...filters, from: undefined, to: undefined },
    });
  }
  if (filters.test !== undefined)
    chips.push({
      name: "Test",
      value: filters.test ? "yes" : "no",
      without: { ...filters, test: undefined },
    });
  if (filters.period)
    chips.push({
      name: "Created",
      value: `last ${filters.period}`,
      without: { ...filters, period: undefined },
    });
  return chips;
}
