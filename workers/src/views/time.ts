const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * Returns milliseconds since the epoch in ISO 8601. A number that is not a time is shown as the nearest time
 * of the years 1970 to 9999, because one row with a damaged time must not make a list unreadable.
 */
export const isoTime = (ms: number): string =>
  new Date(Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), LATEST)).toISOString();

export const optionalTime = (ms: number | null | undefined): string | undefined =>
  ms === null || ms === undefined ? undefined : isoTime(ms);
