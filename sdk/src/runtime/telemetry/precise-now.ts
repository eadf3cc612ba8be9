import { realNow } from "../real-clock.ts";

/** The monotonic clock is off after the process was saved and restored, or the machine slept. */
const MAX_DRIFT_MS = 2;

let wallAt = realNow();
let monotonicAt = performance.now();

/** Milliseconds since the epoch with fractions, so that what follows within a millisecond has an order. */
export function preciseNow(): number {
  const wall = realNow();
  const now = wallAt + performance.now() - monotonicAt;
  // Within the millisecond that everything else is told: what has no fractions is never before what led to it.
  if (Math.abs(now - wall) <= MAX_DRIFT_MS)
    return Math.min(Math.max(Math.round(now * 1_000) / 1_000, wall), wall + 0.998);
  wallAt = wall;
  monotonicAt = performance.now();
  return wall;
}
