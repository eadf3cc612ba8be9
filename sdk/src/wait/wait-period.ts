/** How long to wait. A month has 30 days, a year 365. */
export type WaitPeriod =
  | { seconds: number }
  | { minutes: number }
  | { hours: number }
  | { days: number }
  | { weeks: number }
  | { months: number }
  | { years: number };

const DAY = 86_400_000;
const MS = {
  seconds: 1_000,
  minutes: 60_000,
  hours: 3_600_000,
  days: DAY,
  weeks: 7 * DAY,
  months: 30 * DAY,
  years: 365 * DAY,
};

/**
 * Returns the milliseconds of a period. Several units add up.
 * @throws Error if there is no unit, or its value is not a number
 */
export function periodMs(period: WaitPeriod): number {
  const units = Object.entries(period).filter(([unit]) => unit in MS) as [keyof typeof MS, unknown][];
  if (units.length === 0) {
    throw new Error(`wait.for() needs a period: { ${Object.keys(MS).join(" }, { ")} }`);
  }
  let ms = 0;
  for (const [unit, amount] of units) {
    if (typeof amount !== "number" || !Number.isFinite(amount)) {
      throw new Error(`wait.for(): ${unit} has to be a number, not ${String(amount)}`);
    }
    ms += amount * MS[unit];
  }
  return Math.round(ms);
}
