export interface DayUse {
  day: string;
  costInCents: number;
}

const DAY = 86_400_000;

/** Returns a value for each UTC day, including days without runs, which the API leaves out. */
export function daysOf(
  days: readonly DayUse[],
  from: number,
  to: number,
): { from: number; values: { costInCents: number }[] } {
  const first = Math.floor(from / DAY) * DAY;
  const count = Math.max(1, Math.min(400, Math.ceil((to - first) / DAY)));
  const byDay = new Map(days.map((day) => [Date.parse(`${day.day}T00:00:00Z`), day.costInCents]));
  return {
    from: first,
    values: Array.from({ length: count }, (_, index) => ({
      costInCents: byDay.get(first + index * DAY) ?? 0,
    })),
  };
}
