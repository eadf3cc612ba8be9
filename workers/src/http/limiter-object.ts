import { DurableObject } from "cloudflare:workers";
import { type RateLimit, type Taken, TokenBucket } from "./token-bucket.ts";

export interface LimiterRpc {
  take(count: number, limit: RateLimit): Promise<Taken>;
}

/**
 * The token bucket of one key. Held in memory only: an object that was evicted starts with a full bucket, which lets at
 * most one burst more through and costs no write on any request.
 */
export class LimiterObject<Env> extends DurableObject<Env> implements LimiterRpc {
  readonly #bucket = new TokenBucket();

  async take(count: number, limit: RateLimit) {
    return this.#bucket.take(count, limit, Date.now());
  }
}
