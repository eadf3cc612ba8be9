import type { RunRow } from "@acme/durable-objects/rpc";
import { parseRunId } from "@acme/sdk/contract";
import type { RunListing, RunPage } from "./repository.ts";

/** The start and the direction of a page. */
export interface PageStart {
  backwards: boolean;
  /** The run next to the page. Null: the page begins at the newest run. */
  anchor: { id: string; environmentKey: string; createdAt: number } | null;
}

/** Returns null if the anchor is not a run of these environments. */
export function startOf(environmentKeys: readonly string[], page: RunPage): PageStart | null {
  const backwards = page.before !== undefined;
  const id = page.before ?? page.after;
  if (id === undefined) return { backwards, anchor: null };
  const parts = parseRunId(id);
  if (!parts || !environmentKeys.includes(parts.environmentKey)) return null;
  const { environmentKey, createdAt } = parts;
  return { backwards, anchor: { id, environmentKey, createdAt } };
}

export const EMPTY_LISTING: RunListing = { runs: [], next: null, previous: null };

/** The databases' order: newest first, and runs of the same millisecond by descending id. */
const newestFirst = (a: RunRow, b: RunRow): number =>
  b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/**
 * Returns the page from the rows of each branch: up to `limit + 1` rows from the anchor on. The additional
 * row shows whether there is another page.
 */
export function listingOf(branches: RunRow[][], limit: number, { backwards, anchor }: PageStart): RunListing {
  const found = new Map(branches.flat().map((row) => [row.id, row]));
  const sorted = [...found.values()].sort((a, b) => (backwards ? newestFirst(b, a) : newestFirst(a, b)));
  const more = sorted.length > limit;
  const runs = sorted.slice(0, limit);
  if (backwards) runs.reverse();
  const older = backwards ? anchor !== null : more;
  const newer = backwards ? more : anchor !== null;
  return {
    runs,
    next: older ? (runs.at(-1)?.id ?? null) : null,
    previous: newer ? (runs[0]?.id ?? null) : null,
  };
}
