import { parseDuration } from "../contract/api/durations.ts";

/**
 * Returns the milliseconds of `"10m"`, `"2h30m"`, `"1d"`, `"2w"` or `"60s"`. A number is seconds.
 * @throws Error if the text is not a duration
 */
export function durationMs(duration: string | number): number {
  if (typeof duration === "number" && Number.isFinite(duration) && duration >= 0) return duration * 1_000;
  const ms = typeof duration === "string" ? parseDuration(duration.replaceAll("hr", "h")) : null;
  if (ms !== null) return ms;
  throw new Error(
    `"${duration}" is not a duration: write "30s", "10m", "2h30m", "1d" or "2w", or a number of seconds`,
  );
}
