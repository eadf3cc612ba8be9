/**
 * When to do something that many events ask for and that is cheap only once for all of them: at once for the first event
 * after a while, and then at most once in `gapMs`. Events that aren't urgent wait for up to `lazyMs` to go along.
 */
export class Pace {
  readonly #work: () => void;
  readonly #gapMs: number;
  readonly #lazyMs: number;
  #urgentAt = Number.NEGATIVE_INFINITY;
  #dueAt = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(work: () => void, options: { gapMs: number; lazyMs: number }) {
    this.#work = work;
    this.#gapMs = options.gapMs;
    this.#lazyMs = options.lazyMs;
  }

  ask(urgent: boolean): void {
    const now = Date.now();
    const at = urgent ? Math.max(now, this.#urgentAt + this.#gapMs) : now + this.#lazyMs;
    if (at >= this.#dueAt) return;
    // Only what is done moves on when the next may be done: were it each event, a stream of them would put it off for long.
    if (urgent) this.#urgentAt = at;
    clearTimeout(this.#timer);
    if (at <= now) {
      this.#dueAt = Number.POSITIVE_INFINITY;
      this.#work();
      return;
    }
    this.#dueAt = at;
    this.#timer = setTimeout(() => {
      this.#dueAt = Number.POSITIVE_INFINITY;
      this.#work();
    }, at - now);
  }
}
