const DEFAULT_DAYS = 30;
/** Each number of days has partitions of its own, so there are not many numbers: others count as the next one. */
export const RETENTION_DAYS = [1, 3, 7, 14, 30, 60, 90, 180, 365, 730] as const;

/** The days of a setting, or what is wrong with it. */
export function parseRetentionDays(text: string | undefined): number | { problem: string } {
  if (!text) return DEFAULT_DAYS;
  const days = Number(text);
  const most = RETENTION_DAYS.at(-1) as number;
  if (Number.isInteger(days) && days >= 1 && days <= most) return storedDays(days);
  return { problem: `TELEMETRY_RETENTION_DAYS is "${text}": give a number of days from 1 to ${most}.` };
}

/** Never fewer than the number that was asked for. */
export const storedDays = (days: number): number =>
  RETENTION_DAYS.find((known) => known >= days) ?? (RETENTION_DAYS.at(-1) as number);
