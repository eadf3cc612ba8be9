import { DurableObject } from "cloudflare:workers";
import { type RateLimit, type Taken, TokenBucket } from "./token-bucket.ts";

export interface LimiterRpc {
  take(count: number, limit: RateLimit): Promise<Taken>;
}

/**
 * The token bucket of one key, held in memory only. An evicted object starts with a full bucket, which allows
 * at most one additional burst; in return, no request costs a write.
 */
export class LimiterObject<Env> extends DurableObject<Env> implements LimiterRpc {
  readonly #bucket = new TokenBucket();

  async take(count: number, limit: RateLimit) {
    return this.#bucket.take(count, limit, Date.now());
  }
}
