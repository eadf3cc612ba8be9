import type { RunRow } from "../rpc.ts";

interface Entry {
  row: RunRow;
  queueKey: string;
  /** Number of the change, over all queues of the environment. */
  seq: number;
  heardAt: number;
  /** True: there may be a later state that the queue has not sent. */
  outdated?: true;
}

const MAX_ENTRIES = 10_000;
const MAX_AGE_MS = 10 * 60_000;

/**
 * The latest state of each run that changed lately: of a run only the newest version is kept, so what is sent
 * from here is never older than what was sent before. States that are too old or too many are dropped, oldest
 * change first; the query side has them by then.
 */
export class LatestRuns {
  /** In order of `seq`. */
  readonly #entries = new Map<string, Entry>();
  #seq = 0;
  /** Changes up to this one may have been dropped. */
  #floor = 0;

  get seq(): number {
    return this.#seq;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Keeps a row. Returns false if that version or a later one is known already. */
  put(queueKey: string, row: RunRow, now: number): boolean {
    const known = this.#entries.get(row.id);
    if (known && known.row.version > row.version) return false;
    if (known && known.row.version === row.version && !known.outdated) return false;
    this.#entries.delete(row.id);
    this.#seq += 1;
    this.#entries.set(row.id, { row, queueKey, seq: this.#seq, heardAt: now });
    this.#forget(now);
    return true;
  }

  get(runId: string): RunRow | undefined {
    const entry = this.#entries.get(runId);
    return entry?.outdated ? undefined : entry?.row;
  }

  /** Returns every kept row, in the order of the last changes. */
  *rows(): Generator<RunRow> {
    for (const entry of this.#entries.values()) if (!entry.outdated) yield entry.row;
  }

  /** Returns the rows that changed after `seq`; null if some of them may have been dropped. */
  since(seq: number): RunRow[] | null {
    if (seq < this.#floor || seq > this.#seq) return null;
    const rows: RunRow[] = [];
    for (const entry of this.#entries.values()) if (entry.seq > seq && !entry.outdated) rows.push(entry.row);
    return rows;
  }

  /**
   * A queue sends nothing more for a while, so the known states of its runs become outdated, and earlier
   * positions become invalid. The versions are kept, because a late call must not bring back an earlier
   * state.
   */
  silent(queueKey: string): void {
    for (const entry of this.#entries.values()) if (entry.queueKey === queueKey) entry.outdated = true;
    this.#seq += 1;
    this.#floor = this.#seq;
  }

  #forget(now: number): void {
    for (const [id, entry] of this.#entries) {
      if (this.#entries.size <= MAX_ENTRIES && entry.heardAt > now - MAX_AGE_MS) return;
      this.#entries.delete(id);
      this.#floor = entry.seq;
    }
  }
}
