const HOUR_MS = 3_600_000;
/**
 * Times further away than that are moved to there. A host that was cut off delivers late, but a clock that is wrong by years
 * would make partitions of its own, and one row that is kept for ever.
 */
const MAX_PAST_MS = 48 * HOUR_MS;
const MAX_FUTURE_MS = HOUR_MS;

/** A time in milliseconds since the epoch, near enough to now to be stored. */
export const plausibleTime = (time: number, now: number): number =>
  Math.min(Math.max(time, now - MAX_PAST_MS), now + MAX_FUTURE_MS);

/** Milliseconds since the epoch, as ClickHouse reads a DateTime64: seconds with six decimals. */
export const toDateTime = (ms: number): string => (ms / 1000).toFixed(6);

/** An expression for the milliseconds since the epoch, with fractions. */
export const msOf = (column: string): string => `toUnixTimestamp64Micro(${column}) / 1000`;
