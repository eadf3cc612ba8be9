/**
 * When a run has used up its `maxDuration`, as its runtime counts it: without the time for which it stands still, and with
 * the time that was recorded when it was suspended before. All times are milliseconds.
 */
export class RunClock {
  readonly #limitMs: number;
  #usedMs: number;
  /** When it began to run, or to run again; null while it stands still. */
  #runningSince: number | null = null;

  /** `limitMs`: Infinity where there is no limit. `usedMs`: recorded by earlier suspensions of this run. */
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

  /** When the limit is reached if the run keeps running; Infinity while it stands still. */
  get endsAt(): number {
    if (this.#runningSince === null) return Number.POSITIVE_INFINITY;
    return this.#runningSince + Math.max(0, this.#limitMs - this.#usedMs);
  }
}
