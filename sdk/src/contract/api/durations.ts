const UNITS = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;
const DURATION = /^(?:\d+(?:hr|[wdhms]))+$/;

/** Milliseconds of a duration such as `30s`, `1h` (or `1hr`) or `1d12h`; null where it isn't one. */
export function parseDuration(text: string): number | null {
  if (!DURATION.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([wdhms])r?/g))
    total += Number(count) * UNITS[unit as keyof typeof UNITS];
  return total;
}

/** A point in time: a duration from `now`, or an ISO 8601 date; null where it is neither. */
export function parseDelay(text: string, now: number): number | null {
  const duration = parseDuration(text);
  if (duration !== null) return now + duration;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}
