export interface RateLimit {
  /** The maximum number of requests at once. */
  burst: number;
  perSecond: number;
}

export interface Taken {
  granted: number;
  /** Whole tokens left. */
  remaining: number;
  /** Milliseconds until there is a token again; 0 if some were granted. */
  retryAfterMs: number;
  /** Milliseconds until the bucket is full. */
  fullAfterMs: number;
}

/** The tokens of one key: at most `burst`, with `perSecond` new ones per second. It starts full. */
export class TokenBucket {
  #tokens = Number.POSITIVE_INFINITY;
  #at = 0;

  /**
   * Takes `count` tokens or none. `now`: milliseconds since the epoch. Returns 0 if it took them, otherwise
   * the milliseconds until there are that many.
   */
  takeAll(count: number, limit: RateLimit, now: number): number {
    this.#refill(limit, now);
    if (this.#tokens < count) return Math.ceil(((count - this.#tokens) / limit.perSecond) * 1000);
    this.#tokens -= count;
    return 0;
  }

  #refill(limit: RateLimit, now: number): void {
    // A clock that was set back removes no tokens.
    const elapsed = Math.max(0, now - this.#at) / 1000;
    this.#tokens = Math.min(limit.burst, this.#tokens + elapsed * limit.perSecond);
    this.#at = now;
  }

  /** Takes up to `count` tokens. `now`: milliseconds since the epoch. */
  take(count: number, limit: RateLimit, now: number): Taken {
    this.#refill(limit, now);
    const granted = Math.min(count, Math.floor(this.#tokens));
    this.#tokens -= granted;
    const until = (tokens: number) => Math.ceil(((tokens - this.#tokens) / limit.perSecond) * 1000);
    return {
      granted,
      remaining: Math.floor(this.#tokens),
      retryAfterMs: granted > 0 ? 0 : until(1),
      fullAfterMs: until(limit.burst),
    };
  }
}
