import type { RateLimit } from "@acme/sdk/contract";

/**
 * The generic cell rate algorithm (GCRA). A limiter is one number, `tat` (theoretical arrival time): the time at which it
 * will have recovered completely, in milliseconds since the epoch. Each start moves it one interval into the future, and it
 * is never more than `burst` intervals ahead of now.
 */
export interface Rate {
  /** Milliseconds between two starts, in the long run. */
  readonly intervalMs: number;
  /** Starts at one moment, at most. */
  readonly burst: number;
}

/**
 * A rate of more than one start in this time gets a burst of at least what it allows in this time. Starts go through the
 * dispatcher and come some milliseconds late; without that burst, the rate would lose those milliseconds for good.
 */
const PIECE_MS = 100;

export function rateOf({ limit, period, burst = 1 }: RateLimit): Rate {
  const intervalMs = period / limit;
  return { intervalMs, burst: Math.max(burst, Math.ceil(PIECE_MS / intervalMs)) };
}

/** Compensates rounding errors of sums of fractional milliseconds, which could lose a start. */
const EPSILON = 1e-6;

/** Starts that are allowed now. */
export function available({ intervalMs, burst }: Rate, tat: number, now: number): number {
  const debt = Math.max(0, tat - now) / intervalMs;
  return Math.max(0, Math.floor(burst - debt + EPSILON));
}

/** The limiter after `count` starts. */
export const spend = ({ intervalMs }: Rate, tat: number, now: number, count: number): number =>
  Math.max(tat, now) + count * intervalMs;

/** When there will be `count` starts available, at most `burst`. */
export const availableAt = ({ intervalMs, burst }: Rate, tat: number, count: number): number =>
  tat - (burst - Math.min(count, burst)) * intervalMs;

/** Limits a `tat` that was stored under another rate or another clock to what this rate allows. */
export const clamped = ({ intervalMs, burst }: Rate, tat: number, now: number): number =>
  Math.min(tat, now + burst * intervalMs);
