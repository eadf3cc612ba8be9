import { parseCron } from "./cron.ts";
import type { ScheduleError } from "./rpc.ts";
import { lastTick, nextTick, type Timetable, upcomingTicks } from "./ticks.ts";
import { dueAt, phaseOf } from "./window.ts";
import { zoneOf } from "./zone.ts";

/** What says when a schedule is due. */
export interface Timing {
  cron: string;
  timezone: string;
  window: string | null;
}

/** A tick, when its run is due, and the ticks after it. */
export interface DueTick {
  tick: number;
  dueAt: number;
  /** At most 5. */
  upcoming: number[];
}

const UPCOMING = 5;

/** What is wrong with an expression or a zone; null: nothing. */
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

/** When one schedule is due. */
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

  /** The first tick after an instant; null: there is none. */
  after(instant: number): DueTick | null {
    const tick = nextTick(this.#timetable, instant);
    return tick === null ? null : this.at(tick);
  }

  at(tick: number): DueTick {
    const upcoming = upcomingTicks(this.#timetable, tick, UPCOMING);
    return { tick, dueAt: dueAt(tick, upcoming[0] ?? null, this.#window, this.#phase), upcoming };
  }

  /**
   * The tick to run now, of a schedule whose run for `pending` is due: that one, or where later ones are due too (nobody
   * was there to run them), the last of those. All others are left out.
   */
  latestDue(pending: number, now: number): DueTick {
    const due = this.at(pending);
    const next = due.upcoming[0];
    if (next === undefined || this.at(next).dueAt > now) return due;
    const last = this.#at(now, pending);
    return last.dueAt <= now ? last : this.#at(last.tick - 1, pending);
  }

  #at(instant: number, notBefore: number): DueTick {
    return this.at(lastTick(this.#timetable, instant, notBefore) ?? notBefore);
  }
}
