import type { Context } from "hono";
import type { App } from "./auth.ts";
import type { Bindings } from "./bindings.ts";
import { Failure } from "./failure.ts";
import type { LimiterRpc } from "./limiter-object.ts";

export interface RateLimit {
  /** Requests at once. */
  burst: number;
  perSecond: number;
}

const DEFAULT: RateLimit = { burst: 5_000, perSecond: 1_000 };

/** Tokens this isolate has leased for a key and not used. */
interface Lease {
  tokens: number;
  until: number;
  remaining: number;
}

/** A lease is returned to nobody: what isn't used within this time is gone, so an idle isolate hoards nothing. */
const LEASE_MS = 2_000;

const leases = new Map<string, Lease>();

export function parseRateLimit(text: string | undefined): RateLimit {
  if (!text) return DEFAULT;
  const [burst, perSecond] = text.split(",").map(Number);
  if (!burst || !perSecond || burst < 1 || perSecond <= 0) {
    throw new Error(`API_RATE_LIMIT is "${text}": give BURST,PER_SECOND such as 5000,1000`);
  }
  return { burst, perSecond };
}

/**
 * Takes one token of the key's bucket, or throws a 429. The bucket lives in the key's limiter object; an isolate leases
 * a block of tokens at a time, so most requests ask nobody.
 */
export async function takeToken(c: Context<App>, keyHash: string): Promise<void> {
  const now = Date.now();
  const limit = parseRateLimit(c.env.API_RATE_LIMIT);
  let lease = leases.get(keyHash);
  if (!lease || lease.tokens < 1 || lease.until < now) lease = await lend(c.env, keyHash, limit, now);
  c.header("x-ratelimit-limit", String(limit.burst));
  c.header("x-ratelimit-remaining", String(Math.floor(lease.remaining + lease.tokens - 1)));
  lease.tokens -= 1;
}

async function lend(env: Bindings, keyHash: string, limit: RateLimit, now: number): Promise<Lease> {
  const limiter = env.LIMITER.getByName(keyHash) as unknown as LimiterRpc;
  const block = Math.max(1, Math.floor(limit.burst / 50));
  const answer = await limiter.take(block, limit);
  if (answer.granted === 0) {
    const seconds = Math.max(1, Math.ceil(answer.retryAfterMs / 1000));
    throw new Failure(
      429,
      "rate_limited",
      `Too many requests with this key: ${limit.burst} at once and ${limit.perSecond} a second are allowed. Try again in ${seconds} s.`,
      {
        headers: {
          "retry-after": String(seconds),
          "x-ratelimit-limit": String(limit.burst),
          "x-ratelimit-remaining": "0",
          "x-ratelimit-reset": String(now + answer.retryAfterMs),
        },
      },
    );
  }
  if (leases.size > 10_000) leases.clear();
  const lease = { tokens: answer.granted, until: now + LEASE_MS, remaining: answer.remaining };
  leases.set(keyHash, lease);
  return lease;
}
