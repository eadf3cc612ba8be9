import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { type RateLimit, TokenBucket } from "../http/token-bucket.ts";

/** The limit of wrong keys from one address in one isolate: each of them costs a database read. */
const LIMIT: RateLimit = { burst: 100, perSecond: 5 };
/** The maximum number of addresses that are counted. With more, counting starts over. */
const MAX_ADDRESSES = 10_000;
/** A key that was valid this recently is looked up even if too many wrong keys came from its address. */
const TRUSTED_MS = 3_600_000;

const buckets = new Map<string, TokenBucket>();
/** After this time every bucket is full again, so it can be dropped. */
const REFILL_MS = (LIMIT.burst / LIMIT.perSecond) * 1_000;
let fullAt = 0;
/** An address without attempts has one again after this time at most. */
const NEXT_ATTEMPT_MS = 1_000 / LIMIT.perSecond;
/** Until then some address may have none. */
let refusesUntil = 0;
const trusted = new Cache<true>(TRUSTED_MS);

/**
 * Returns whether some address has used up its attempts. If none has, requests need not determine their
 * address, which costs them as much as all else of their authentication.
 */
export function refusesGuesses(now: number): boolean {
  return now < refusesUntil;
}

/**
 * Throws a 429 if too many wrong keys came from the address, unless the key was valid recently. So others
 * behind the same address can keep using their keys.
 */
export function refuseGuesses(address: string | undefined, keyHash: string | undefined, now: number): void {
  const bucket = address === undefined ? undefined : buckets.get(address);
  if (!bucket) return;
  const { remaining, retryAfterMs } = bucket.take(0, LIMIT, now);
  if (remaining > 0) return;
  if (keyHash !== undefined && trusted.get(keyHash)) return;
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  throw new Failure(
    429,
    "too_many_wrong_keys",
    `Too many requests with wrong keys came from this address. Check the key, and try again in ${seconds} s.`,
    { headers: { "retry-after": String(seconds) } },
  );
}

/** Counts a wrong key against its address. */
export function countWrongKey(address: string | undefined, now: number): void {
  if (address === undefined) return;
  if (now >= fullAt) buckets.clear();
  let bucket = buckets.get(address);
  if (!bucket) {
    if (buckets.size >= MAX_ADDRESSES) buckets.clear();
    bucket = new TokenBucket();
    buckets.set(address, bucket);
  }
  const { remaining } = bucket.take(1, LIMIT, now);
  fullAt = now + REFILL_MS;
  if (remaining === 0) refusesUntil = now + NEXT_ATTEMPT_MS;
}

/** Remembers a valid key. */
export function trustKey(keyHash: string): void {
  if (!trusted.get(keyHash)) trusted.set(keyHash, true);
}
