import type { RunRow } from "../rpc.ts";
import { type CompiledFilter, newestFirst } from "./filter.ts";
import type { HubHost } from "./hub-host.ts";
import type { LatestRuns } from "./latest-runs.ts";

/**
 * Reads current lists of runs. The query side has every run but follows the queues with a delay; the latest
 * changes fill that gap.
 */
export class RunLists {
  readonly #host: HubHost;
  readonly #latest: LatestRuns;
  readonly #listing = new Map<string, Promise<{ runs: RunRow[]; more: boolean }>>();

  constructor(host: HubHost, latest: LatestRuns) {
    this.#host = host;
    this.#latest = latest;
  }

  /** Returns the runs that changed after a position. Null: the position is invalid, too old, or of another epoch. */
  changesSince(position: string | undefined): RunRow[] | null {
    const [epoch, seq] = (position ?? "").split(":");
    return epoch === this.#host.epoch && seq !== undefined ? this.#latest.since(Number(seq)) : null;
  }

  /** Returns the query side's list. Concurrent callers share one call. */
  listed(compiled: CompiledFilter, limit: number): Promise<{ runs: RunRow[]; more: boolean }> {
    const key = `${limit} ${compiled.key}`;
    const listing =
      this.#listing.get(key) ??
      this.#host.listRuns(compiled.filter, limit).finally(() => this.#listing.delete(key));
    this.#listing.set(key, listing);
    return listing;
  }

  /** Applies later changes to the query side's list. `cut`: more than `limit` runs match. */
  overlaid(compiled: CompiledFilter, listed: RunRow[], limit: number): { rows: RunRow[]; cut: boolean } {
    const rows = new Map(listed.map((row) => [row.id, row]));
    for (const row of this.#latest.rows()) {
      const known = rows.get(row.id);
      if (known && known.version >= row.version) continue;
      if (compiled.matches(row)) rows.set(row.id, row);
      else rows.delete(row.id);
    }
    const all = [...rows.values()].sort(newestFirst);
    return { rows: all.slice(0, limit), cut: all.length > limit };
  }
}
