import type { RateLimit } from "@acme/sdk/contract";

/**
 * The generic cell rate algorithm: all that is kept of a limiter is one time, `tat`, at which it will have recovered
 * completely (milliseconds since the epoch; one in the past: it has). A start moves it on by one interval, and it is never
 * further than `burst` intervals ahead of now.
 */
export interface Rate {
  /** Milliseconds between two starts, in the long run. */
  readonly intervalMs: number;
  /** Starts at one moment, at most. */
  readonly burst: number;
}

/**
 * Faster rates than one in this time are kept over this time: a start that comes some milliseconds late, as all do that
 * go through the dispatcher, would otherwise be lost for good.
 */
const PIECE_MS = 100;

export function rateOf({ limit, period, burst = 1 }: RateLimit): Rate {
  const intervalMs = period / limit;
  return { intervalMs, burst: Math.max(burst, Math.ceil(PIECE_MS / intervalMs)) };
}

/** Keeps the sums of fractions of milliseconds from losing a start. */
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

/** What a limiter that was kept under another rate, or another clock, can be at most. */
export const clamped = ({ intervalMs, burst }: Rate, tat: number, now: number): number =>
  Math.min(tat, now + burst * intervalMs);
