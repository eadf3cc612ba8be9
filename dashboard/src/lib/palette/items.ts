import fuzzysort from "fuzzysort";

export interface PaletteItem {
  id: string;
  group: string;
  label: string;
  /** Shown after the label, in a lighter color. */
  hint?: string;
  /** Also found by these words. */
  words?: string;
  shortcut?: string;
  run(): void;
}

const PREFIXES: readonly { prefix: string; path(id: string): string; what: string }[] = [
  { prefix: "run_", path: (id) => `/runs/${id}`, what: "run" },
  { prefix: "waitpoint_", path: (id) => `/inbox?token=${id}`, what: "token" },
  { prefix: "batch_", path: (id) => `/batches?batch=${id}`, what: "batch" },
  { prefix: "error_", path: (id) => `/errors?status=all&error=${id}`, what: "error" },
  { prefix: "bulk_", path: (id) => `/bulk-actions?action=${id}`, what: "bulk action" },
  { prefix: "sched_", path: (id) => `/schedules?schedule=${id}`, what: "schedule" },
];

/** Returns the page of a pasted id, below the environment's path; null if it is not an id. */
export function destinationOf(text: string): { path: string; what: string } | null {
  const id = text.trim();
  const known = PREFIXES.find(({ prefix }) => id.startsWith(prefix) && id.length > prefix.length + 3);
  return known && /^[\w-]+$/.test(id) ? { path: known.path(encodeURIComponent(id)), what: known.what } : null;
}

/**
 * Returns the items that match a query, best first within each group; all of them if it is empty. `>` finds
 * only actions.
 */
export function search(items: readonly PaletteItem[], query: string, limit = 40): PaletteItem[] {
  const actionsOnly = query.startsWith(">");
  const text = (actionsOnly ? query.slice(1) : query).trim();
  const candidates = actionsOnly ? items.filter(({ group }) => group === "Actions") : items;
  if (text === "") return candidates.slice(0, limit);
  const found = fuzzysort.go(text, candidates, {
    keys: ["label", (item) => item.words ?? item.hint ?? ""],
    limit,
    threshold: 0.2,
  });
  return found.map(({ obj }) => obj);
}
