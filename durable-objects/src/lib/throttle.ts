/**
 * Runs work that many events request but that is cheap only when done once for all of them. The first urgent request
 * after a pause runs the work at once; after that it runs at most once per `gapMs`. Requests that are not urgent wait up
 * to `lazyMs` for an urgent one to join.
 */
export class Throttle {
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

  request(urgent: boolean): void {
    const now = Date.now();
    const at = urgent ? Math.max(now, this.#urgentAt + this.#gapMs) : now + this.#lazyMs;
    if (at >= this.#dueAt) return;
    // Only work that runs moves the start of the next gap. If every request did, a stream of them would delay it forever.
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
