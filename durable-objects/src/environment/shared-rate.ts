import type { RateLimit } from "@acme/sdk/contract";
import { available, availableAt, clamped, type Rate, rateOf, spend } from "../lib/rate.ts";

/** The stored part, which outlives the environment's object. */
export interface StoredRate {
  recoversAt: number;
  /** Starts that were allowed and have not been counted yet. */
  reserved: number;
}

/** The shortest interval at which a limiter that refills faster is checked. */
const MIN_REFILL_MS = 10;

/**
 * The rate limit of a queue over all of its partitions. A grant reserves as many starts as it allows, and the
 * actual starts are counted when it is answered, so they never count too early. Each partition also keeps to
 * the whole rate by itself.
 */
export class SharedRate {
  #rate: Rate;
  #recoversAt: number;
  #reserved = 0;

  /** Reservations of earlier lives of the object count as started. */
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

  /** Applies starts of a partition, whose own limiter recovers no earlier than `recoversAt`. */
  atLeast(recoversAt: number): void {
    this.#recoversAt = Math.max(this.#recoversAt, recoversAt);
  }

  /** Returns the number of starts that may be allowed now. */
  available(now: number): number {
    // A clock that was set back must not block the limiter until it reaches its old time again.
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

  /**
   * Returns when more starts are allowed, in whole milliseconds; null if that happens when a grant is
   * answered.
   */
  refillAt(now: number): number | null {
    const free = available(this.#rate, this.#recoversAt, now);
    if (free >= this.#rate.burst) return null;
    const at = availableAt(this.#rate, this.#recoversAt, free + 1);
    return Math.max(Math.ceil(at), now + MIN_REFILL_MS);
  }
}
