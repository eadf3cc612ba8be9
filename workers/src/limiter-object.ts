import { DurableObject } from "cloudflare:workers";
import type { RateLimit } from "./rate-limit.ts";

export interface LimiterRpc {
  /** Up to `count` tokens. None: `retryAfterMs` tells when there will be one. */
  take(
    count: number,
    limit: RateLimit,
  ): Promise<{ granted: number; remaining: number; retryAfterMs: number }>;
}

/**
 * The token bucket of one key. Held in memory only: an object that was evicted starts with a full bucket, which lets at
 * most one burst more through and costs no write on any request.
 */
export class LimiterObject<Env> extends DurableObject<Env> implements LimiterRpc {
  #tokens = Number.POSITIVE_INFINITY;
  #at = 0;

  async take(count: number, limit: RateLimit) {
    const now = Date.now();
    this.#tokens = Math.min(limit.burst, this.#tokens + ((now - this.#at) / 1000) * limit.perSecond);
    this.#at = now;
    const granted = Math.min(count, Math.floor(this.#tokens));
    this.#tokens -= granted;
    const retryAfterMs = Math.ceil(((1 - this.#tokens) / limit.perSecond) * 1000);
    return { granted, remaining: Math.floor(this.#tokens), retryAfterMs: granted > 0 ? 0 : retryAfterMs };
  }
}
