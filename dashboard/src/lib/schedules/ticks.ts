import type { CronPreview, Schedule } from "../api/environment-api.ts";

export interface UpcomingTick {
  at: number;
  /**
   * The change of the zone's clocks since the previous tick, in minutes: 60 if they were set forward an hour.
   */
  clockChange: number;
}

/** The ticks with the changes of clocks between them. Before the first, the offset is that of `now` in the zone. */
export function upcomingOf(ticks: CronPreview["ticks"], offsetNow: number): UpcomingTick[] {
  return ticks.map(({ at, offsetMinutes }, index) => ({
    at: Date.parse(at),
    clockChange: offsetMinutes - (ticks[index - 1]?.offsetMinutes ?? offsetNow),
  }));
}

/** `Clocks go forward 1 h`. */
export function changeText(minutes: number): string {
  const size = Math.abs(minutes);
  const hours = size % 60 === 0 ? `${size / 60} h` : `${size} min`;
  return `Clocks go ${minutes > 0 ? "forward" : "back"} ${hours}`;
}

/** Returns the zone's offset from UTC in minutes at a time; 0 for a zone that this browser doesn't know. */
export function offsetAt(time: number, zone: string): number {
  try {
    const parts = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      timeZoneName: "longOffset",
    }).formatToParts(time);
    const text = parts.find(({ type }) => type === "timeZoneName")?.value ?? "GMT";
    const match = /GMT([+-])(\d{2}):(\d{2})/.exec(text);
    if (!match) return 0;
    return (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
  } catch {
    return 0;
  }
}

/**
 * Returns the payload that the task would get from a tick now, as superjson, so that its times are Dates in
 * the task.
 */
export function runNowPayload(schedule: Schedule, now: number, upcoming: readonly UpcomingTick[]) {
  const iso = (time: number) => new Date(time).toISOString();
  const json = {
    scheduleId: schedule.id,
    type: schedule.type,
    timestamp: iso(now),
    ...(schedule.lastRun ? { lastTimestamp: schedule.lastRun } : {}),
    ...(schedule.externalId ? { externalId: schedule.externalId } : {}),
    timezone: schedule.timezone,
    upcoming: upcoming.map(({ at }) => iso(at)),
  };
  const dates = [
    "timestamp",
    ...(schedule.lastRun ? ["lastTimestamp"] : []),
    ...upcoming.map((_, index) => `upcoming.${index}`),
  ];
  return { json, meta: { values: Object.fromEntries(dates.map((path) => [path, ["Date"]])), v: 1 } };
}
