import type { RateLimit } from "@acme/sdk/contract";
import { available, availableAt, clamped, type Rate, rateOf, spend } from "../lib/rate.ts";

/** What outlives the environment's object. */
export interface StoredRate {
  recoversAt: number;
  /** Starts that were allowed and not counted yet. */
  reserved: number;
}

/** A limiter that refills faster than this is looked after only so often. */
const MIN_REFILL_MS = 10;

/**
 * The rate limit of a queue over all of its partitions. A grant reserves as many starts as it allows, and what was started is
 * counted when it is answered: never too early. Each partition keeps to the whole rate too, by itself.
 */
export class SharedRate {
  #rate: Rate;
  #recoversAt: number;
  #reserved = 0;

  /** What was reserved before this life of the object counts as started. */
  constructor(limit: RateLimit, stored: StoredRate | undefined, now: number) {
    this.#rate = rateOf(limit);
    this.#recoversAt = stored ? spend(this.#rate, stored.recoversAt, now, stored.reserved) : 0;
  }

  get stored(): StoredRate {
    return { recoversAt: this.#recoversAt, reserved: this.#reserved };
  }

  setLimit(limit: RateLimit): void {
    this.#rate = rateOf(limit);
  }

  /** A partition has started so much that its own limiter recovers no earlier. */
  atLeast(recoversAt: number): void {
    this.#recoversAt = Math.max(this.#recoversAt, recoversAt);
  }

  /** Starts that may be allowed now. */
  available(now: number): number {
    // A clock that went back must not hold everything up until it is where it was.
    this.#recoversAt = clamped(this.#rate, this.#recoversAt, now);
    return Math.max(0, available(this.#rate, this.#recoversAt, now) - this.#reserved);
  }

  reserve(count: number): void {
    this.#reserved += count;
  }

  /** Ends a reservation of `count` starts: `started` starts took place. */
  settle(count: number, started: number, now: number): void {
    this.#reserved = Math.max(0, this.#reserved - count);
    this.#recoversAt = spend(this.#rate, this.#recoversAt, now, started);
  }

  /** When there is more than now, in whole milliseconds; null: as soon as a grant is answered. */
  refillAt(now: number): number | null {
    const free = available(this.#rate, this.#recoversAt, now);
    if (free >= this.#rate.burst) return null;
    const at = availableAt(this.#rate, this.#recoversAt, free + 1);
    return Math.max(Math.ceil(at), now + MIN_REFILL_MS);
  }
}
