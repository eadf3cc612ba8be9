import type { ScheduleRow } from "./store.ts";

const iso = (time: number): string => new Date(time).toISOString();

/** Returns the payload of a tick's run as superjson, so that the task gets its times as Dates. */
export function payloadOf(schedule: ScheduleRow, tick: number, upcoming: number[]): string {
  const { last_tick, external_id } = schedule;
  const json = {
    scheduleId: schedule.id,
    type: schedule.type,
    timestamp: iso(tick),
    ...(last_tick === null ? {} : { lastTimestamp: iso(last_tick) }),
    ...(external_id === null ? {} : { externalId: external_id }),
    timezone: schedule.timezone,
    upcoming: upcoming.map(iso),
  };
  const dates = [
    "timestamp",
    ...(last_tick === null ? [] : ["lastTimestamp"]),
    ...upcoming.map((_, index) => `upcoming.${index}`),
  ];
  const values = Object.fromEntries(dates.map((path) => [path, ["Date"]]));
  return JSON.stringify({ json, meta: { values, v: 1 } });
}
