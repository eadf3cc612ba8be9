import type { RunListItem } from "../api/environment-api.ts";
import { type FilterField, toggled } from "./cell-filter.ts";
import type { RunFilters } from "./filters.ts";

/** The columns that the runs list can have, in the chooser's order. */
export const RUN_COLUMNS = [
  { id: "status", label: "Status", track: "124px", room: 124 },
  { id: "task", label: "Task", track: "minmax(110px,1.6fr)", room: 110 },
  { id: "run", label: "Run", track: "130px", room: 130 },
  { id: "queue", label: "Queue", track: "minmax(80px,1fr)", room: 80 },
  { id: "tags", label: "Tags", track: "minmax(60px,1fr)", room: 60 },
  { id: "version", label: "Version", track: "100px", room: 100 },
  { id: "batch", label: "Batch", track: "120px", room: 120 },
  { id: "trigger", label: "Triggered by", track: "120px", room: 120 },
  { id: "idempotency", label: "Idempotency key", track: "minmax(80px,1fr)", room: 80 },
  { id: "attempts", label: "Attempts", track: "64px", room: 64, align: "right" },
  { id: "compute", label: "Compute", track: "76px", room: 76, align: "right" },
  { id: "queued", label: "Queued for", track: "84px", room: 84, align: "right" },
  { id: "duration", label: "Duration", track: "76px", room: 76, align: "right" },
  { id: "started", label: "Started", track: "84px", room: 84, align: "right" },
  { id: "finished", label: "Finished", track: "84px", room: 84, align: "right" },
  { id: "created", label: "Created", track: "84px", room: 84, align: "right" },
] as const satisfies readonly RunColumn[];

export interface RunColumn {
  id: string;
  label: string;
  /** A track of a CSS grid. */
  track: string;
  /** The minimum width in pixels. */
  room: number;
  align?: "right";
}
export type RunColumnId = (typeof RUN_COLUMNS)[number]["id"];

export const DEFAULT_COLUMNS: readonly RunColumnId[] = [
  "status",
  "task",
  "run",
  "queue",
  "tags",
  "version",
  "duration",
  "created",
];

const BY_ID = new Map<string, RunColumn>(RUN_COLUMNS.map((column) => [column.id, column]));

export const columnOf = (id: RunColumnId): RunColumn => BY_ID.get(id) as RunColumn;

const isColumn = (id: string): id is RunColumnId => BY_ID.has(id);

/**
 * Parses columns as stored in the address and the browser, `status,task,run`; null if none of them exists.
 */
export function parseColumns(text: string | null | undefined): RunColumnId[] | null {
  const ids = [...new Set((text ?? "").split(",").filter(isColumn))];
  return ids.length > 0 ? ids : null;
}

/** The columns that are dropped first if there is no room: those that say least about a run. */
const DROPPED_FIRST: readonly RunColumnId[] = [
  "tags",
  "version",
  "idempotency",
  "trigger",
  "batch",
  "compute",
  "attempts",
  "queued",
  "finished",
  "started",
  "queue",
  "created",
  "duration",
  "run",
];
const GAP = 12;
/** Padding, and the box to select a row. */
const BESIDE = 64;

/** Returns the wanted columns that fit, in their order. */
export function fitting(wanted: readonly RunColumnId[], width: number): RunColumnId[] {
  const shown = [...wanted];
  const needed = () => BESIDE + shown.reduce((sum, id) => sum + columnOf(id).room + GAP, 0);
  for (const id of DROPPED_FIRST) {
    if (needed() <= width || shown.length <= 2) break;
    const index = shown.indexOf(id);
    if (index >= 0) shown.splice(index, 1);
  }
  return shown;
}

export const templateOf = (columns: readonly RunColumnId[]): string =>
  `20px ${columns.map((id) => columnOf(id).track).join(" ")}`;

/** Moves a column one place; the same list where it is at that end already. */
export function moved(
  columns: readonly RunColumnId[],
  id: RunColumnId,
  step: 1 | -1,
): readonly RunColumnId[] {
  const from = columns.indexOf(id);
  const to = from + step;
  if (from === -1 || to < 0 || to >= columns.length) return columns;
  const next = [...columns];
  next.splice(from, 1);
  next.splice(to, 0, id);
  return next;
}

/** The filter for the value of a cell. */
export interface CellFilter {
  field: FilterField;
  value: string;
  /** As a button says it: `Task send-email`. */
  label: string;
}

const LABELS: Readonly<Record<FilterField, string>> = {
  statuses: "Status",
  tasks: "Task",
  queues: "Queue",
  tags: "Tag",
  versions: "Version",
  batch: "Batch",
};

/** Returns the filters that a run's cell offers; none if the API can't filter by its value. */
export function filtersOfCell(run: RunListItem, column: RunColumnId): CellFilter[] {
  const one = (field: FilterField, value: string | undefined): CellFilter[] =>
    // The API's lists are split at commas.
    value === undefined || value === "" || value.includes(",")
      ? []
      : [{ field, value, label: `${LABELS[field]} ${value}` }];
  switch (column) {
    case "status":
      return one("statuses", run.status);
    case "task":
      return one("tasks", run.taskIdentifier);
    case "queue":
      return one("queues", run.queue);
    case "version":
      return one("versions", run.version);
    case "batch":
      return one("batch", run.batchId);
    case "tags":
      return run.tags.flatMap((tag) => one("tags", tag));
    default:
      return [];
  }
}

/** Returns all filters for the values of a run, each once. */
export const filtersOfRun = (run: RunListItem): CellFilter[] =>
  (["status", "task", "queue", "version", "batch", "tags"] as const).flatMap((id) => filtersOfCell(run, id));

export const applyCellFilter = (filters: RunFilters, { field, value }: CellFilter): RunFilters =>
  toggled(filters, field, value);
