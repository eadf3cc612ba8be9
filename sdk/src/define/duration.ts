import { parseDuration } from "../contract/api/durations.ts";

/**
 * Milliseconds of `"10m"`, `"2h30m"`, `"1d"`, `"2w"`, `"60s"`; a number is seconds.
 * @throws Error where the text is no duration
 */
export function durationMs(duration: string | number): number {
  if (typeof duration === "number" && Number.isFinite(duration) && duration >= 0) return duration * 1_000;
  const ms = typeof duration === "string" ? parseDuration(duration.replaceAll("hr", "h")) : null;
  if (ms !== null) return ms;
  throw new Error(
    `"${duration}" is no duration: write "30s", "10m", "2h30m", "1d" or "2w", or a number of seconds`,
  );
}
