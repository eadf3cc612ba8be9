import { DeficitRoundRobin } from "../drr.ts";
import type { Sql } from "../sql.ts";

interface Counts {
  pending: number;
  running: number;
}

/**
 * How many runs are pending and running, by concurrency key: what limits are checked against. Held in memory (counters
 * only, never the runs) and written for the touched keys with each commit, so a restart reads one row a live key and
 * never scans the backlog. Runs without a key share the key ''.
 */
export class KeyCounters {
  readonly #keys = new Map<string, Counts>();
  readonly #touched = new Set<string>();
  readonly #turns = new DeficitRoundRobin();
  #limit = Number.POSITIVE_INFINITY;
  #pending = 0;
  #running = 0;

  get pending(): number {
    return this.#pending;
  }

  /** Slots held. */
  get running(): number {
    return this.#running;
  }

  /** Runs that the limits of this queue allow to be dequeued now. */
  get ready(): number {
    return this.#turns.ready;
  }

  load(sql: Sql): void {
    this.#keys.clear();
    this.#touched.clear();
    this.#pending = 0;
    this.#running = 0;
    for (const key of this.#turnsKeys()) this.#turns.set(key, 0);
    const rows = sql.exec<{ concurrency_key: string; pending: number; running: number }>(
      "SELECT concurrency_key, pending, running FROM keys",
    );
    for (const row of rows) this.add(row.concurrency_key, row.pending, row.running);
    this.#touched.clear();
  }

  /** Each key may have this many runs executing; null: no limit of the queue's own. */
  setLimit(limit: number | null): void {
    const next = limit ?? Number.POSITIVE_INFINITY;
    if (next === this.#limit) return;
    this.#limit = next;
    for (const [key, counts] of this.#keys) this.#turns.set(key, this.#readyOf(counts));
  }

  add(key: string, pending: number, running: number): void {
    let counts = this.#keys.get(key);
    if (!counts) {
      counts = { pending: 0, running: 0 };
      this.#keys.set(key, counts);
    }
    counts.pending += pending;
    counts.running += running;
    this.#pending += pending;
    this.#running += running;
    this.#touched.add(key);
    this.#turns.set(key, this.#readyOf(counts));
  }

  /** Which keys take the next `max` slots, and how many each. */
  take(max: number): Map<string, number> {
    return this.#turns.take(max);
  }

  /** Writes the counts of the keys touched since the last call. */
  save(sql: Sql): void {
    for (const key of this.#touched) {
      const counts = this.#keys.get(key);
      if (counts && (counts.pending > 0 || counts.running > 0)) {
        sql.exec(
          `INSERT INTO keys (concurrency_key, pending, running) VALUES (?, ?, ?)
           ON CONFLICT (concurrency_key) DO UPDATE SET pending = excluded.pending, running = excluded.running`,
          key,
          counts.pending,
          counts.running,
        );
      } else {
        sql.exec("DELETE FROM keys WHERE concurrency_key = ?", key);
        this.#keys.delete(key);
      }
    }
    this.#touched.clear();
  }

  #readyOf(counts: Counts): number {
    return Math.min(counts.pending, this.#limit - counts.running);
  }

  #turnsKeys(): string[] {
    return [...this.#turns.keys()];
  }
}
