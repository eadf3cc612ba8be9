import type { ErrorGroup } from "../api/environment-api.ts";

export const ERROR_STATES: Readonly<Record<ErrorGroup["status"], { label: string; token: string }>> = {
  unresolved: { label: "Open", token: "failed" },
  resolved: { label: "Resolved", token: "completed" },
  ignored: { label: "Ignored", token: "canceled" },
};

export const ERROR_FILTERS = [
  ["unresolved", "Open"],
  ["resolved", "Resolved"],
  ["ignored", "Ignored"],
  ["all", "All"],
] as const;

const HOUR = 3_600_000;

/** For how long, or until what, an error can be ignored. */
export const IGNORE_CHOICES = [
  { label: "For an hour", body: { duration: HOUR } },
  { label: "For a day", body: { duration: 24 * HOUR } },
  { label: "For a week", body: { duration: 7 * 24 * HOUR } },
  { label: "Until it happens 10 times a minute", body: { occurrenceRate: 10 } },
  { label: "Until it happened 100 more times", body: { totalOccurrences: 100 } },
  { label: "For good", body: {} },
] as const;

/** Statuses of failed runs, which the replay of an error covers. */
export const FAILED_STATUSES = ["FAILED", "CRASHED", "TIMED_OUT", "SYSTEM_FAILURE"] as const;
