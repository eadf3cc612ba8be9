import type { Context } from "hono";
import type { App, Bindings } from "../bindings.ts";
import { Failure } from "./failure.ts";
import { limiterOf } from "./limiter.ts";
import type { RateLimit, Taken } from "./token-bucket.ts";

const DEFAULT: RateLimit = { burst: 5_000, perSecond: 1_000 };

/** Unused tokens that this isolate has leased for a key. */
interface Lease {
  tokens: number;
  /** Unused tokens are dropped at this time, so an idle isolate does not hoard them. */
  until: number;
  /** The number of tokens in the key's bucket at its last answer. */
  remaining: number;
  /** When the bucket will be full again if no more tokens are taken. */
  fullAt: number;
  /** Set while a request is fetching the next block: when that is expected to arrive. */
  askingUntil: number;
}

const LEASE_MS = 2_000;
const ASKING_MS = 1_000;

const leases = new Map<string, Lease>();

let parsed: { text: string; limit: RateLimit } | undefined;

/** Every request needs it, so the last text is cached with its parsed value. */
export function parseRateLimit(text: string | undefined): RateLimit {
  if (!text) return DEFAULT;
  if (parsed?.text !== text) parsed = { text, limit: rateLimitOf(text) };
  return parsed.limit;
}

function rateLimitOf(text: string): RateLimit {
  const [burst, perSecond] = text.split(",").map(Number);
  if (!burst || !perSecond || burst < 1 || perSecond <= 0) {
    throw new Error(`API_RATE_LIMIT is "${text}": give BURST,PER_SECOND such as 5000,1000`);
  }
  return { burst, perSecond };
}

/**
 * Takes one token of the key's bucket, or throws a 429. The bucket lives in the key's limiter object; an
 * isolate leases a block of tokens at a time, and the next one before it runs out, so requests rarely wait
 * for it. Only one request fetches a block: if all that find none did, a burst would empty the bucket.
 */
export async function takeToken(
  c: Context<App>,
  keyHash: string,
  limit: RateLimit = parseRateLimit(c.env.API_RATE_LIMIT),
): Promise<void> {
  const now = Date.now();
  const block = Math.max(1, Math.floor(limit.burst / 50));
  const lease = leaseOf(keyHash, now);
  const asks = lease.tokens < block / 2 && lease.askingUntil <= now;
  if (asks) lease.askingUntil = now + ASKING_MS;
  if (lease.tokens >= 1) {
    lease.tokens -= 1;
    if (asks) c.executionCtx.waitUntil(lend(c.env, keyHash, limit, block, lease));
  } else {
    const granted = await lend(c.env, keyHash, limit, asks ? block : 1, lease);
    if (granted.granted < 1) throw tooMany(limit, granted.retryAfterMs, now);
    lease.tokens -= 1;
  }
  c.header("x-ratelimit-limit", String(limit.burst));
  c.header("x-ratelimit-remaining", String(Math.max(0, Math.floor(lease.remaining + lease.tokens))));
  c.header("x-ratelimit-reset", String(Math.max(now, lease.fullAt)));
}

function leaseOf(keyHash: string, now: number): Lease {
  let lease = leases.get(keyHash);
  if (!lease) {
    if (leases.size > 10_000) leases.clear();
    lease = { tokens: 0, until: 0, remaining: 0, fullAt: 0, askingUntil: 0 };
    leases.set(keyHash, lease);
  }
  if (lease.until < now) lease.tokens = 0;
  return lease;
}

/** Adds up to `count` tokens of the key's bucket to the lease. */
async function lend(
  env: Bindings,
  keyHash: string,
  limit: RateLimit,
  count: number,
  lease: Lease,
): Promise<Taken> {
  const limiter = limiterOf(env, keyHash);
  const taken = await limiter.take(count, limit);
  const now = Date.now();
  lease.tokens += taken.granted;
  lease.until = now + LEASE_MS;
  lease.remaining = taken.remaining;
  lease.fullAt = now + taken.fullAfterMs;
  if (count > 1) lease.askingUntil = 0;
  return taken;
}

function tooMany(limit: RateLimit, retryAfterMs: number, now: number): Failure {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return new Failure(
    429,
    "rate_limited",
    `Too many requests with this key: ${limit.burst} at once and ${limit.perSecond} a second are allowed. Try again in ${seconds} s.`,
    {
      headers: {
        "retry-after": String(seconds),
        "x-ratelimit-limit": String(limit.burst),
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": String(now + retryAfterMs),
      },
    },
  );
}
