import type { RunRow } from "../rpc.ts";

const MAX_KEPT = 20_000;
/** Clocks of objects differ by less than this. */
const CLOCKS_MS = 60_000;

/**
 * Runs that the subscriptions of a list may show, so that only those are reported as removed. After a client has come
 * back with what it was sent earlier, or after this object slept, that can be any run that existed then.
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

  /** Any run may be shown that exists now. */
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
