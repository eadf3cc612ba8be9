/**
 * Computes when a run has used up its `maxDuration`, counted like in its runtime: without the time for which
 * it is frozen, and with the time recorded at earlier suspensions. All times are in milliseconds.
 */
export class RunClock {
  readonly #limitMs: number;
  #usedMs: number;
  /** When it began to run, or to run again; null while it is frozen. */
  #runningSince: number | null = null;

  /**
   * `limitMs`: Infinity if there is no limit. `usedMs`: the time recorded at earlier suspensions of this run.
   */
  constructor(limitMs: number, usedMs: number) {
    this.#limitMs = limitMs;
    this.#usedMs = usedMs;
  }

  run(now: number): void {
    this.#runningSince ??= now;
  }

  stop(now: number): void {
    if (this.#runningSince !== null) this.#usedMs += now - this.#runningSince;
    this.#runningSince = null;
  }

  /** Returns when the limit is reached if the run keeps running; Infinity while it is frozen. */
  get endsAt(): number {
    if (this.#runningSince === null) return Number.POSITIVE_INFINITY;
    return this.#runningSince + Math.max(0, this.#limitMs - this.#usedMs);
  }
}
