import { CronExpressionParser } from "cron-parser";

/** A cron expression as the sets of wall-clock times it names. */
export interface Cron {
  /** 0 to 59, ascending. */
  minutes: readonly number[];
  /** 0 to 23, ascending. */
  hours: readonly number[];
  /**
   * True if the expression covers every hour: such a schedule follows the wall clock, others name times of
   * day (see ticks.ts).
   */
  everyHour: boolean;
  /** 1 to 12. */
  months: ReadonlySet<number>;
  matchesDay(day: CalendarDay): boolean;
}

export interface CalendarDay {
  /** 1 to 12. */
  month: number;
  /** 1 to 31. */
  date: number;
  /** 0 is Sunday. */
  weekday: number;
  daysInMonth: number;
}

/** Names for common expressions. */
const NICKNAMES = [
  "@yearly",
  "@annually",
  "@monthly",
  "@weekly",
  "@daily",
  "@hourly",
  "@minutely",
  "@weekdays",
  "@weekends",
];
const MAX_LENGTH = 256;

const parsed = new Map<string, Cron>();
/** Schedules that share an expression share what was parsed. */
const MAX_PARSED = 5_000;

/**
 * Parses an expression of five fields, or a nickname such as `@daily`. `error`: what is wrong with it, as a
 * sentence.
 */
export function parseCron(expression: string): Cron | { error: string } {
  const text = expression.trim().replace(/\s+/g, " ");
  const known = parsed.get(text);
  if (known) return known;
  const problem = shapeProblem(text);
  if (problem !== null) return { error: problem };
  try {
    const cron = read(text);
    if (parsed.size >= MAX_PARSED) parsed.clear();
    parsed.set(text, cron);
    return cron;
  } catch (error) {
    return { error: `${error instanceof Error ? error.message : String(error)}.` };
  }
}

function shapeProblem(text: string): string | null {
  if (text === "") return "It is empty.";
  if (text.length > MAX_LENGTH) return `It is longer than ${MAX_LENGTH} characters.`;
  if (text.startsWith("@")) {
    return NICKNAMES.includes(text)
      ? null
      : `There is no nickname ${text}; these are known: ${NICKNAMES.join(", ")}.`;
  }
  const fields = text.split(" ").length;
  if (fields === 6) return "It has 6 fields; seconds are not supported: give minute hour day month weekday.";
  if (fields !== 5)
    return `It has ${fields} ${fields === 1 ? "field" : "fields"}; give 5: minute hour day month weekday.`;
  // The library would resolve H to a random number in each process.
  if (/H/.test(text.replace(/[A-Z]{3}/gi, "")))
    return "H is not supported; `window` spreads schedules over time.";
  return null;
}

function read(text: string): Cron {
  const { minute, hour, dayOfMonth, month, dayOfWeek } = CronExpressionParser.parse(text, {
    tz: "UTC",
  }).fields;
  const dates = new Set<number | string>(dayOfMonth.values);
  const weekdays = new Set<number | string>(dayOfWeek.values);
  const lastWeekdays = dayOfWeek.values.map(String).filter((value) => value.endsWith("L"));
  const lastOf = new Set(lastWeekdays.map((value) => Number.parseInt(value, 10) % 7));
  const nth = dayOfWeek.nthDay;

  const matchesDate = ({ date, daysInMonth }: CalendarDay): boolean =>
    dates.has(date) || (dayOfMonth.hasLastChar && date === daysInMonth);
  const matchesWeekday = ({ weekday, date, daysInMonth }: CalendarDay): boolean =>
    (weekdays.has(weekday) && (nth === 0 || Math.ceil(date / 7) === nth)) ||
    (lastOf.has(weekday) && date > daysInMonth - 7);

  return {
    minutes: minute.values,
    hours: hour.values,
    everyHour: hour.values.length === 24,
    months: new Set(month.values),
    matchesDay(day) {
      if (dayOfWeek.isWildcard) return matchesDate(day);
      if (dayOfMonth.isWildcard) return matchesWeekday(day);
      // As in every cron: if both day fields are restricted, a match of either is enough.
      return matchesDate(day) || matchesWeekday(day);
    },
  };
}
