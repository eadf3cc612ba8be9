import { CronExpressionParser } from "cron-parser";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Cron, parseCron } from "../src/environment/schedules/cron.ts";
import { lastTick, nextTick, type Timetable, upcomingTicks } from "../src/environment/schedules/ticks.ts";
import { dueAt, phaseOf } from "../src/environment/schedules/window.ts";
import { type Zone, zoneNames, zoneOf } from "../src/environment/schedules/zone.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function timetable(expression: string, zone = "UTC"): Timetable {
  const cron = parseCron(expression);
  if ("error" in cron) throw new Error(cron.error);
  return { cron, zone: zoneOf(zone) as Zone };
}

const next = (expression: string, zone: string, after: string, count: number): string[] =>
  upcomingTicks(timetable(expression, zone), Date.parse(after), count).map(iso);

/** `2026-03-08T07:30Z` */
const iso = (time: number): string => new Date(time).toISOString().replace(":00.000Z", "Z");

describe("ticks in UTC", () => {
  const field = (min: number, max: number) => {
    const value = fc.integer({ min, max });
    const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
    const step = fc.integer({ min: 1, max: max - min });
    return fc.oneof(
      { weight: 3, arbitrary: fc.constant("*") },
      { weight: 3, arbitrary: value.map(String) },
      fc.uniqueArray(value, { minLength: 2, maxLength: 4 }).map((values) => values.join(",")),
      range,
      step.map((n) => `*/${n}`),
      fc.tuple(range, step).map(([r, n]) => `${r}/${n}`),
    );
  };
  const expressions = fc
    .tuple(
      field(0, 59),
      field(0, 23),
      fc.oneof(field(1, 28), fc.constant("L"), fc.constant("?")),
      fc.oneof(field(1, 12), fc.constant("JAN-MAR")),
      fc.oneof(field(0, 6), fc.constantFrom("MON", "1-5", "5#3", "1L", "FRI#1", "0L", "7"), fc.constant("*")),
    )
    .map((fields) => fields.join(" "));
  const times = fc
    .integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2032, 0, 1) })
    .map((time) => time - (time % 1000));

  it("are those of cron-parser", () => {
    fc.assert(
      fc.property(expressions, times, (expression, after) => {
        const theirs = CronExpressionParser.parse(expression, { currentDate: new Date(after), tz: "UTC" });
        const expected = [theirs.next().getTime(), theirs.next().getTime(), theirs.next().getTime()];
        expect(upcomingTicks(timetable(expression), after, 3)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("include days that are years apart", () => {
    expect(next("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1)).toEqual(["2104-02-29T00:00Z"]);
    // A fifth Monday in February.
    expect(next("0 0 * 2 1#5", "UTC", "2016-03-01T00:00:00Z", 1)).toEqual(["2044-02-29T00:00Z"]);
  });
});

describe("ticks where clocks are changed", () => {
  it("of a day of 23 hours: a time that is skipped is due an hour later, once", () => {
    // New York, 8 March 2026: 02:00 EST becomes 03:00 EDT at 07:00Z.
    expect(next("30 2 * * *", "America/New_York", "2026-03-07T05:00:00Z", 3)).toEqual([
      "2026-03-07T07:30Z",
      "2026-03-08T07:30Z",
      "2026-03-09T06:30Z",
    ]);
    expect(next("30 2,3 * * *", "America/New_York", "2026-03-08T05:00:00Z", 3)).toEqual([
      "2026-03-08T07:30Z",
      "2026-03-09T06:30Z",
      "2026-03-09T07:30Z",
    ]);
    expect(next("0 0 * * *", "America/New_York", "2026-03-08T00:00:00Z", 3)).toEqual([
      "2026-03-08T05:00Z",
      "2026-03-09T04:00Z",
      "2026-03-10T04:00Z",
    ]);
  });

  it("of a day of 25 hours: a time that comes twice is due the first time only", () => {
    // New York, 1 November 2026: 02:00 EDT becomes 01:00 EST at 06:00Z.
    expect(next("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2)).toEqual([
      "2026-11-01T05:30Z",
      "2026-11-02T06:30Z",
    ]);
    expect(next("0 0 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2)).toEqual([
      "2026-11-01T04:00Z",
      "2026-11-02T05:00Z",
    ]);
  });

  it("of an expression for every hour follow the clock: no gap, and both of two equal hours", () => {
    expect(next("0,30 * * * *", "America/New_York", "2026-03-08T06:00:00Z", 3)).toEqual([
      "2026-03-08T06:30Z",
      "2026-03-08T07:00Z",
      "2026-03-08T07:30Z",
    ]);
    expect(next("0 * * * *", "America/New_York", "2026-11-01T04:00:00Z", 4)).toEqual([
      "2026-11-01T05:00Z",
      "2026-11-01T06:00Z",
      "2026-11-01T07:00Z",
      "2026-11-01T08:00Z",
    ]);
  });

  it("by half an hour, at midnight, and by a whole day", () => {
    // Lord Howe, 4 October 2026: 02:00 becomes 02:30 at 15:30Z (3 October); 5 April 2026: 02:00 becomes 01:30 at 15:00Z.
    expect(next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2)).toEqual([
      "2026-10-03T15:45Z",
      "2026-10-04T15:15Z",
    ]);
    expect(next("*/15 * * * *", "Australia/Lord_Howe", "2026-10-03T15:00:00Z", 3)).toEqual([
      "2026-10-03T15:15Z",
      "2026-10-03T15:30Z",
      "2026-10-03T15:45Z",
    ]);
    expect(next("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2)).toEqual([
      "2026-04-04T14:45Z",
      "2026-04-05T15:15Z",
    ]);
    // Beirut, 29 March 2026: 00:00 becomes 01:00 at 22:00Z (28 March).
    expect(next("0 0 * * *", "Asia/Beirut", "2026-03-28T00:00:00Z", 2)).toEqual([
      "2026-03-28T22:00Z",
      "2026-03-29T21:00Z",
    ]);
    // Samoa had no 30 December 2011: its noon and that of the 31st are one.
    expect(next("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 3)).toEqual([
      "2011-12-29T22:00Z",
      "2011-12-30T22:00Z",
      "2011-12-31T22:00Z",
    ]);
  });

  const zones = ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Kathmandu"];
  const crons = ["*/20 * * * *", "30 2 * * *", "30 1 * * *", "0 0 * * *", "15 */2 * * *", "10,50 1-3 * * 0"];

  it("are the same seen from either side, in order, and as many a day as ever", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom(...crons),
        fc.integer({ min: Date.UTC(2026, 0, 1) / DAY, max: Date.UTC(2027, 0, 1) / DAY }),
        (zone, expression, day) => {
          const own = timetable(expression, zone);
          const ticks = upcomingTicks(own, day * DAY, 40);
          for (const [index, tick] of ticks.entries()) {
            const until = ticks[index + 1] ?? tick + 1;
            expect(until).toBeGreaterThan(tick);
            expect(lastTick(own, until - 1, 0)).toBe(tick);
            expect(nextTick(own, tick - 1)).toBe(tick);
          }
        },
      ),
      { numRuns: 300 },
    );
    for (const expression of ["30 2 * * *", "30 1 * * *", "0 0 * * *"]) {
      for (const zone of zones) {
        const ticks = upcomingTicks(timetable(expression, zone), Date.UTC(2026, 0, 1, 12), 365);
        const apart = ticks.slice(1).map((tick, index) => tick - (ticks[index] as number));
        for (const gap of apart) expect([23, 23.5, 24, 24.5, 25]).toContain(gap / HOUR);
      }
    }
  });

  it("looks no further back than it is asked to", () => {
    const daily = timetable("0 0 * * *");
    const midnight = Date.UTC(2026, 5, 1);
    expect(lastTick(daily, midnight + HOUR, midnight)).toBe(midnight);
    expect(lastTick(daily, midnight + HOUR, midnight + 1)).toBeNull();
    expect(lastTick(timetable("0 0 29 2 *"), Date.UTC(2027, 5, 1), Date.UTC(2024, 0, 1))).toBe(
      Date.UTC(2024, 1, 29),
    );
  });
});

describe("an invalid expression or zone", () => {
  it("is refused with the reason", () => {
    const problems = {
      "": "It is empty.",
      "* * * *": "It has 4 fields; give 5: minute hour day month weekday.",
      "* * * * * *": "It has 6 fields; seconds are not supported: give minute hour day month weekday.",
      "@secondly": /^There is no nickname @secondly; these are known: @yearly/,
      "61 * * * *": /61/,
      "5-1 * * * *": /5-1/,
      "H * * * *": "H is not supported; `window` spreads schedules over time.",
      "0 0 * XYZ *": /xyz/,
      "0 0 30 2 *": /day of month/,
      "0 0 31 4,6 *": /day of month/,
    };
    for (const [expression, problem] of Object.entries(problems)) {
      const { error } = parseCron(expression) as Exclude<ReturnType<typeof parseCron>, Cron>;
      if (typeof problem === "string") expect(error).toBe(problem);
      else expect(error).toMatch(problem);
    }
    expect(parseCron("  0  9 * *   MON-FRI ")).toHaveProperty("hours", [9]);
    expect(parseCron("@daily")).toHaveProperty("minutes", [0]);
    for (const name of ["Mars/Olympus", "+03:00", ""]) expect(zoneOf(name)).toBeNull();
  });

  it("and every zone of the list is one, UTC first", () => {
    const names = zoneNames();
    expect(names[0]).toBe("UTC");
    expect(names.length).toBeGreaterThan(400);
    for (const name of names) expect(zoneOf(name)?.offsetAt(0)).toBeTypeOf("number");
  });
});

describe("a window", () => {
  it("moves each tick by the schedule's own share of it, never past the next tick", () => {
    expect(dueAt(0, HOUR, null, 0.5)).toBe(0);
    expect(dueAt(0, HOUR, "30m", 0.5)).toBe(HOUR / 4);
    expect(dueAt(0, HOUR, "2h", 0.5)).toBe(HOUR / 2);
    expect(dueAt(0, HOUR, "50%", 0.5)).toBe(HOUR / 4);
    expect(dueAt(0, null, "2h", 0.5)).toBe(HOUR);
    expect(dueAt(0, HOUR, "100%", phaseOf("env", "x"))).toBeLessThan(HOUR);
  });

  it("has one stable place for a schedule, and places that lie evenly for many", () => {
    expect(phaseOf("env", "a")).toBe(phaseOf("env", "a"));
    expect(phaseOf("env", "a")).not.toBe(phaseOf("other", "a"));
    const tenths = new Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n++) {
      const tenth = Math.floor(phaseOf("env", `schedule-${n}`) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});
