import type { RunRow } from "../rpc.ts";

const MAX_KEPT = 20_000;
/** Clocks of objects differ by less than this. */
const CLOCKS_MS = 60_000;

/**
 * The runs that the subscriptions of a list may show: only those are reported as removed. After a client has
 * reconnected with earlier runs, or after this object has hibernated, that can be any run that existed then.
 */
export class ShownRuns {
  readonly #shown = new Set<string>();
  /** A run created after this is shown only if it was sent since. Null: that holds for all runs. */
  #unknownUntil: number | null = null;
  /** Runs created before that, which have been reported as removed since. */
  readonly #removed = new Set<string>();

  add(runId: string): void {
    this.#shown.add(runId);
    this.#removed.delete(runId);
  }

  remove(runId: string): void {
    this.#shown.delete(runId);
    if (this.#unknownUntil !== null) this.#removed.add(runId);
  }

  mayShow({ id, createdAt }: RunRow): boolean {
    if (this.#shown.has(id)) return true;
    return this.#unknownUntil !== null && createdAt <= this.#unknownUntil && !this.#removed.has(id);
  }

  /** From now on, every existing run may be shown. */
  forget(now: number): void {
    this.#unknownUntil = now + CLOCKS_MS;
    this.#shown.clear();
    this.#removed.clear();
  }

  /** Forgets which runs are shown if they are too many to be kept. */
  bound(now: number): void {
    if (this.#shown.size + this.#removed.size > MAX_KEPT) this.forget(now);
  }
}
