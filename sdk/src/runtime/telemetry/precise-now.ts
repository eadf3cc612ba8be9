import { realNow } from "../real-clock.ts";

/**
 * The monotonic clock drifts from the wall clock when the process is saved and restored, or the machine
 * sleeps.
 */
const MAX_DRIFT_MS = 2;

let wallAt = realNow();
let monotonicAt = performance.now();

/**
 * Returns milliseconds since the epoch with fractions, so that events within one millisecond have an order.
 */
export function preciseNow(): number {
  const wall = realNow();
  const now = wallAt + performance.now() - monotonicAt;
  // Stays within the current whole millisecond, so that a time without fractions is never before the event
  // that caused it.
  if (Math.abs(now - wall) <= MAX_DRIFT_MS)
    return Math.min(Math.max(Math.round(now * 1_000) / 1_000, wall), wall + 0.998);
  wallAt = wall;
  monotonicAt = performance.now();
  return wall;
}
