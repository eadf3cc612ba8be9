const HOUR_MS = 3_600_000;
/**
 * Times beyond this distance are moved to it. A disconnected host delivers late, but a clock that is wrong by
 * years would create its own partitions, and rows that are kept forever.
 */
const MAX_PAST_MS = 48 * HOUR_MS;
const MAX_FUTURE_MS = HOUR_MS;

/** Returns a time in milliseconds since the epoch that is close enough to now to be stored. */
export const plausibleTime = (time: number, now: number): number =>
  Math.min(Math.max(time, now - MAX_PAST_MS), now + MAX_FUTURE_MS);

/**
 * Converts milliseconds since the epoch to the form in which ClickHouse reads a DateTime64: seconds with six
 * decimals.
 */
export const toDateTime = (ms: number): string => (ms / 1000).toFixed(6);

/** An expression for the milliseconds since the epoch, with fractions. */
export const msOf = (column: string): string => `toUnixTimestamp64Micro(${column}) / 1000`;
