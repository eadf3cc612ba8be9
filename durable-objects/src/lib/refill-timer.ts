/**
 * A refill that is due within this time gets a timer in memory. An alarm costs a write, and does not fire
 * while the handler of the previous one still runs.
 */
export const NEAR_MS = 2_000;

/** Runs `work` at the earliest of the requested times. It is kept in memory, so it is lost when the object restarts. */
export class RefillTimer {
  readonly #work: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(work: () => void) {
    this.#work = work;
  }

  by(at: number): void {
    if (at >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(
      () => {
        this.#at = Number.POSITIVE_INFINITY;
        this.#work();
      },
      Math.max(0, at - Date.now()),
    );
  }
}
