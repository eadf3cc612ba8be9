import { z } from "zod";

const MAX_MS = 24 * 3_600_000;

/**
 * The window over which the runs of schedules are spread: absolute, or in percent of the time to the next
 * tick.
 */
export type ParsedScheduleWindow = { ms: number } | { percent: number };

/** Parses `30m`, `2h` (whole minutes or hours, at most 24 hours) or `30%`. Returns null for anything else. */
export function parseScheduleWindow(text: string): ParsedScheduleWindow | null {
  const match = /^(0|[1-9]\d{0,6})([mh%])$/.exec(text);
  if (!match) return null;
  const amount = Number(match[1]);
  if (match[2] === "%") return amount <= 100 ? { percent: amount } : null;
  const ms = amount * (match[2] === "h" ? 3_600_000 : 60_000);
  return ms <= MAX_MS ? { ms } : null;
}

export const ScheduleWindow = z.string().refine((text) => parseScheduleWindow(text) !== null, {
  message: 'Give whole minutes or hours up to 24 hours, such as "30m" or "2h", or a percentage such as "30%"',
});
