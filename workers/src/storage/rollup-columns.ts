import type { RunStatus } from "@acme/sdk/contract";

/** Lengths of the steps in which runs are counted, in milliseconds. */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const ROLLUP_STEPS = [MINUTE_MS, HOUR_MS] as const;

/**
 * How long the minutes are kept; hours are kept forever. Charts of minutes go back {@link MINUTES_SHOWN_MS}
 * at most.
 */
export const MINUTES_KEPT_MS = 12 * HOUR_MS;
export const MINUTES_SHOWN_MS = 6 * HOUR_MS;

/** The column in which an ended run is counted, by its last status. */
export const ENDED_COLUMNS = {
  COMPLETED_SUCCESSFULLY: "completed",
  COMPLETED_WITH_ERRORS: "failed",
  CRASHED: "crashed",
  SYSTEM_FAILURE: "system_failure",
  TIMED_OUT: "timed_out",
  CANCELED: "canceled",
  EXPIRED: "expired",
} as const satisfies Partial<Record<RunStatus, string>>;
export type EndedColumn = (typeof ENDED_COLUMNS)[keyof typeof ENDED_COLUMNS];

/**
 * Upper bounds of the classes of times (how long runs waited, and how long they took); longer times are in
 * one further class.
 */
export const TIME_CLASSES_MS = [
  10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  1_800_000, 3_600_000, 21_600_000, 86_400_000,
] as const;
export const TIME_CLASSES = TIME_CLASSES_MS.length + 1;

export function timeClassOf(ms: number): number {
  const found = TIME_CLASSES_MS.findIndex((most) => ms <= most);
  return found < 0 ? TIME_CLASSES_MS.length : found;
}

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
export type TimeKind = "delay" | "duration";
export type ClassColumn = `${TimeKind}_${0 | 1}${Digit}`;

export const classColumn = (kind: TimeKind, number: number): ClassColumn =>
  `${kind}_${String(number).padStart(2, "0")}` as ClassColumn;

export const classColumns = (kind: TimeKind): ClassColumn[] =>
  Array.from({ length: TIME_CLASSES }, (_, number) => classColumn(kind, number));

/**
 * Runs by what happened to them: created, started for the first time, ended after a start, and ended by
 * status.
 */
export const COUNT_COLUMNS = ["created", "started", "finished", ...Object.values(ENDED_COLUMNS)] as const;
/** Integer columns that are summed. */
export const WHOLE_COLUMNS: readonly string[] = [
  ...COUNT_COLUMNS,
  ...classColumns("delay"),
  ...classColumns("duration"),
];
/** All summed columns. `usage_ms` is the usage of the runs that ended. */
export const SUM_COLUMNS: readonly string[] = [...WHOLE_COLUMNS, "usage_ms"];
