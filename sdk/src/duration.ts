const UNITS: Record<string, number> = {
  w: 604_800_000,
  d: 86_400_000,
  hr: 3_600_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
};

/**
 * Milliseconds of `"10m"`, `"2h30m"`, `"1d"`, `"2w"`, `"60s"`; a number is seconds.
 * @throws Error where the text is no duration
 */
export function durationMs(duration: string | number): number {
  if (typeof duration === "number") {
    if (Number.isFinite(duration) && duration >= 0) return duration * 1_000;
  } else if (/^(\d+(w|d|hr|h|m|s))+$/.test(duration)) {
    let ms = 0;
    for (const [, amount, unit] of duration.matchAll(/(\d+)(w|d|hr|h|m|s)/g))
      ms += Number(amount) * UNITS[unit!]!;
    return ms;
  }
  throw new Error(
    `"${duration}" is no duration: write "30s", "10m", "2h30m", "1d" or "2w", or a number of seconds`,
  );
}
