import { parseCron } from "./cron.ts";
import type { ScheduleError } from "./rpc.ts";
import { lastTick, nextTick, type Timetable, upcomingTicks } from "./ticks.ts";
import { dueAt, phaseOf } from "./window.ts";
import { zoneOf } from "./zone.ts";

/** The settings that determine when a schedule is due. */
export interface Timing {
  cron: string;
  timezone: string;
  window: string | null;
}

/** A tick, and when its run is due. */
export interface DueTick {
  tick: number;
  dueAt: number;
}

/** A tick that is run now, and the ticks after it. */
export interface CurrentTick extends DueTick {
  /** At most 5. */
  upcoming: number[];
  /** Null: there is none. */
  next: DueTick | null;
}

const UPCOMING = 5;

/** Returns what is wrong with an expression or a zone; null if nothing is. */
export function timingProblem(cron: string, timezone: string): ScheduleError | null {
  const parsed = parseCron(cron);
  if ("error" in parsed) {
    return { error: "invalid_cron", message: `The cron expression "${cron}" is invalid. ${parsed.error}` };
  }
  if (zoneOf(timezone) === null) {
    return {
      error: "invalid_timezone",
      message: `"${timezone}" is not an IANA time zone such as "Europe/Paris". GET /api/v1/timezones lists them.`,
    };
  }
  return null;
}

/**
 * Returns the ticks after an instant, as many as a run receives, with the zone's offset from UTC at each of
 * them, in minutes.
 */
export function preview(
  { cron, timezone }: Pick<Timing, "cron" | "timezone">,
  after: number,
): ScheduleError | { at: number; offsetMinutes: number }[] {
  const problem = timingProblem(cron, timezone);
  if (problem) return problem;
  const parsed = parseCron(cron);
  const zone = zoneOf(timezone);
  if ("error" in parsed || zone === null) return [];
  return upcomingTicks({ cron: parsed, zone }, after, UPCOMING).map((at) => ({
    at,
    offsetMinutes: zone.offsetAt(at) / 60_000,
  }));
}

/** Computes when one schedule is due. */
export class ScheduleTimes {
  readonly #timetable: Timetable;
  readonly #window: string | null;
  readonly #phase: number;

  /** @throws Error for a timing that has a `timingProblem` */
  constructor(timing: Timing, environmentKey: string, identity: string) {
    const cron = parseCron(timing.cron);
    const zone = zoneOf(timing.timezone);
    if ("error" in cron || zone === null) throw new Error(`Not a timing: ${JSON.stringify(timing)}`);
    this.#timetable = { cron, zone };
    this.#window = timing.window;
    this.#phase = timing.window === null ? 0 : phaseOf(environmentKey, identity);
  }

  /** Returns the first tick after an instant; null if no tick follows. */
  after(instant: number): DueTick | null {
    const tick = nextTick(this.#timetable, instant);
    return tick === null ? null : this.at(tick);
  }

  at(tick: number): DueTick {
    if (this.#window === null) return { tick, dueAt: tick };
    const next = nextTick(this.#timetable, tick);
    return { tick, dueAt: dueAt(tick, next, this.#window, this.#phase) };
  }

  /**
   * Returns the tick to run now, for a schedule whose run for `pending` is due: that tick, or, if later ones
   * are due too (after an outage), the last of them. The others are skipped.
   */
  latestDue(pending: number, now: number): CurrentTick {
    const due = this.#current(pending);
    if (due.next === null || due.next.dueAt > now) return due;
    const last = this.#lastTick(now, pending);
    return this.#current(this.at(last).dueAt <= now ? last : this.#lastTick(last - 1, pending));
  }

  #lastTick(instant: number, notBefore: number): number {
    return lastTick(this.#timetable, instant, notBefore) ?? notBefore;
  }

  #current(tick: number): CurrentTick {
    const upcoming = upcomingTicks(this.#timetable, tick, UPCOMING);
    const next = upcoming[0] === undefined ? null : this.at(upcoming[0]);
    return { ...this.at(tick), upcoming, next };
  }
}
