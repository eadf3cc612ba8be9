/**
 * Computes when a cron expression is due in a time zone. All functions are pure, from milliseconds since the
 * epoch to milliseconds.
 *
 * When clocks change:
 * - An expression that names hours (`30 2 * * *`) is due once for each time it names. A skipped time is due
 *   later by as much as the clocks were set forward (02:30 → 03:30; if that is another of its times, both are
 *   one tick). A time that occurs twice is due the first time. So a day of 23 or 25 hours has as many ticks
 *   as any other.
 * - An expression for every hour (`0 * * * *`) follows the wall clock: it is due whenever the clock shows one
 *   of its times, in both of two repeated hours, and not in a skipped one.
 */
import type { CalendarDay, Cron } from "./cron.ts";
import { DAY, type Zone } from "./zone.ts";

const MINUTE = 60_000;
/**
 * February has a fifth Monday every 28 or 40 years; an expression that isn't due within this many days never
 * is.
 */
const HORIZON_DAYS = 366 * 41;

export interface Timetable {
  cron: Cron;
  zone: Zone;
}

/** Returns the first tick after an instant; null if no tick follows. */
export function nextTick({ cron, zone }: Timetable, after: number): number | null {
  const today = Math.floor((after + zone.offsetAt(after)) / DAY);
  // Ticks of the previous day may have been moved past midnight.
  const first = zone.changesAround(today) ? today - 1 : today;
  for (let day = first; day <= first + HORIZON_DAYS; day = laterDay(cron, day)) {
    const tick = firstOfDay(cron, zone, day, after);
    if (tick === null) continue;
    const early = zone.changesAround(day + 1) ? firstOfDay(cron, zone, day + 1, after) : null;
    return early === null ? tick : Math.min(tick, early);
  }
  return null;
}

/** Returns the last tick at or before an instant, no earlier than `notBefore`; null if there is none. */
export function lastTick({ cron, zone }: Timetable, at: number, notBefore: number): number | null {
  const today = Math.floor((at + zone.offsetAt(at)) / DAY);
  const first = zone.changesAround(today) ? today + 1 : today;
  for (let day = first; (day + 3) * DAY > notBefore; day = earlierDay(cron, day)) {
    const tick = lastOfDay(cron, zone, day, at);
    if (tick === null) continue;
    const late = zone.changesAround(day - 1) ? lastOfDay(cron, zone, day - 1, at) : null;
    const last = late === null ? tick : Math.max(tick, late);
    return last >= notBefore ? last : null;
  }
  return null;
}

/** Returns the next `count` ticks after an instant. */
export function upcomingTicks(timetable: Timetable, after: number, count: number): number[] {
  const ticks: number[] = [];
  for (let tick = nextTick(timetable, after); tick !== null; tick = nextTick(timetable, tick)) {
    ticks.push(tick);
    if (ticks.length === count) break;
  }
  return ticks;
}

function firstOfDay(cron: Cron, zone: Zone, day: number, after: number): number | null {
  if (!isDayOf(cron, day)) return null;
  if (zone.changesAround(day)) return changedDay(cron, zone, day).find((tick) => tick > after) ?? null;
  const start = day * DAY - zone.offsetAt(day * DAY);
  const minute = Math.max(0, Math.floor((after - start) / MINUTE) + 1);
  const hour = Math.floor(minute / 60);
  for (const h of cron.hours) {
    if (h < hour) continue;
    const m = h > hour ? cron.minutes[0] : cron.minutes.find((value) => value >= minute % 60);
    if (m !== undefined) return start + (h * 60 + m) * MINUTE;
  }
  return null;
}

function lastOfDay(cron: Cron, zone: Zone, day: number, at: number): number | null {
  if (!isDayOf(cron, day)) return null;
  if (zone.changesAround(day)) return changedDay(cron, zone, day).findLast((tick) => tick <= at) ?? null;
  const start = day * DAY - zone.offsetAt(day * DAY);
  const minute = Math.min(24 * 60 - 1, Math.floor((at - start) / MINUTE));
  if (minute < 0) return null;
  const hour = Math.floor(minute / 60);
  for (const h of cron.hours.toReversed()) {
    if (h > hour) continue;
    const m = h < hour ? cron.minutes.at(-1) : cron.minutes.findLast((value) => value <= minute % 60);
    if (m !== undefined) return start + (h * 60 + m) * MINUTE;
  }
  return null;
}

/** Returns all ticks of a day on which, or close to which, clocks change. */
function changedDay(cron: Cron, zone: Zone, day: number): number[] {
  const kept = changedDays.get(cron)?.get(zone)?.get(day);
  if (kept) return kept;
  const ticks = new Set<number>();
  for (const hour of cron.hours) {
    for (const minute of cron.minutes) {
      const wall = day * DAY + (hour * 60 + minute) * MINUTE;
      const instants = zone.instantsOf(wall);
      if (cron.everyHour) for (const instant of instants) ticks.add(instant);
      else ticks.add(instants[0] ?? zone.shifted(wall));
    }
  }
  const sorted = [...ticks].sort((a, b) => a - b);
  keep(cron, zone, day, sorted);
  return sorted;
}

/** Many schedules share an expression and a zone: on the day of a change, their ticks are computed once. */
const changedDays = new WeakMap<Cron, WeakMap<Zone, Map<number, number[]>>>();
const MAX_KEPT = 16;

function keep(cron: Cron, zone: Zone, day: number, ticks: number[]): void {
  const byZone = changedDays.get(cron) ?? new WeakMap<Zone, Map<number, number[]>>();
  changedDays.set(cron, byZone);
  const byDay = byZone.get(zone) ?? new Map<number, number[]>();
  byZone.set(zone, byDay);
  if (byDay.size >= MAX_KEPT) byDay.clear();
  byDay.set(day, ticks);
}

/** `day`: days since 1 January 1970. */
function isDayOf(cron: Cron, day: number): boolean {
  const calendar = calendarOf(day);
  return cron.months.has(calendar.month) && cron.matchesDay(calendar);
}

function calendarOf(day: number): CalendarDay & { year: number } {
  const date = new Date(day * DAY);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth() + 1;
  return {
    year,
    month,
    date: date.getUTCDate(),
    weekday: date.getUTCDay(),
    daysInMonth: new Date(Date.UTC(year, month, 0)).getUTCDate(),
  };
}

/** Returns the next day that can have ticks; months without any are skipped. */
function laterDay(cron: Cron, day: number): number {
  const { year, month } = calendarOf(day + 1);
  return cron.months.has(month) ? day + 1 : Math.max(day + 1, Date.UTC(year, month, 1) / DAY);
}

function earlierDay(cron: Cron, day: number): number {
  const { year, month } = calendarOf(day - 1);
  return cron.months.has(month) ? day - 1 : Math.min(day - 1, Date.UTC(year, month - 1, 1) / DAY - 1);
}
