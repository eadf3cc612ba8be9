/** What refills within this time is waited for by a timer in memory: an alarm costs a write, and waits for what the one before it still does. */
export const NEAR_MS = 2_000;

/** Does `work` at the earliest time that was asked for. In memory: it is gone with the object. */
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
