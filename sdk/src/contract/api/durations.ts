const UNITS = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;
const DURATION = /^(?:\d+(?:hr|[wdhms]))+$/;
/** `2030-05-01`, or with a time of day: `2030-05-01T10:00Z`, `2030-05-01T10:00:00.000+02:00`. */
const ISO_DATE = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i;

/** The longest duration, and the furthest date, that the API accepts: ten years, in milliseconds. */
export const MAX_DURATION_MS = 3_653 * UNITS.d;
/** A longer text can be neither a duration nor a date. */
export const MAX_TIME_TEXT = 64;

/**
 * Returns the milliseconds of a duration such as `30s`, `1h` (or `1hr`) or `1d12h`; null for anything else,
 * and beyond ten years.
 */
export function parseDuration(text: string): number | null {
  if (text.length > MAX_TIME_TEXT || !DURATION.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([wdhms])r?/g))
    total += Number(count) * UNITS[unit as keyof typeof UNITS];
  return total <= MAX_DURATION_MS ? total : null;
}

/**
 * Returns the milliseconds since the epoch of an ISO 8601 date. A time of day without an offset is in UTC.
 * Null for anything else, for a date before 1970, and for one that lies more than ten years after `now`.
 */
export function parseDate(text: string, now: number): number | null {
  if (text.length > MAX_TIME_TEXT || !ISO_DATE.test(text)) return null;
  const time = Date.parse(/T| /i.test(text) && !/(?:Z|[+-]\d{2}:?\d{2})$/i.test(text) ? `${text}Z` : text);
  return time >= 0 && time <= now + MAX_DURATION_MS ? time : null;
}

/**
 * Returns the point in time of a duration from `now` or an ISO 8601 date; null for anything else, and beyond
 * ten years.
 */
export function parseDelay(text: string, now: number): number | null {
  const duration = parseDuration(text);
  return duration === null ? parseDate(text, now) : now + duration;
}
