import type { ENVIRONMENT_TYPES } from "../contract/manifest.ts";
import type { InitOutput } from "../define/hook-types.ts";
import type { TaskOptions } from "../define/task-types.ts";

/** The payload of a scheduled task's run. */
export interface ScheduledTaskPayload {
  scheduleId: string;
  /** DECLARATIVE: from the task's own `cron`. IMPERATIVE: from `schedules.create`. */
  type: "DECLARATIVE" | "IMPERATIVE";
  /** The time of the cron expression that this run is for, even if the run starts later. */
  timestamp: Date;
  /** The `timestamp` of the previous run; undefined in the first one. */
  lastTimestamp?: Date;
  /** As given to `schedules.create`. */
  externalId?: string;
  /** IANA name of the time zone. */
  timezone: string;
  /** The next 5 times of the schedule. */
  upcoming: Date[];
}

export interface CronOptions {
  /** Minute, hour, day of month, month and day of week; or a shorthand such as `@daily`. */
  pattern: string;
  /** IANA name of the time zone. Default: UTC. */
  timezone?: string;
  /**
   * Delays each run by a fraction of this window that is always the same for a schedule, so that schedules
   * with the same times do not all start at once: `"30m"`, `"2h"`, or `"30%"` of the time to the next run.
   * Default: no delay.
   */
  window?: string;
  /** The environments it applies to. Default: all. */
  environments?: (typeof ENVIRONMENT_TYPES)[number][];
}

export type ScheduleOptions<
  TIdentifier extends string,
  TOutput,
  TInit extends InitOutput = InitOutput,
> = TaskOptions<TIdentifier, ScheduledTaskPayload, TOutput, TInit> & {
  /**
   * When the task runs, from its next deployment on. More schedules can be attached with `schedules.create`.
   */
  cron?: string | CronOptions;
};

/** Replaces a schedule: fields that are left out are reset to their defaults. */
export interface UpdateScheduleOptions {
  /** Id of a task defined with `schedules.task`. */
  task: string;
  /** Minute, hour, day of month, month and day of week; or a shorthand such as `@daily`. */
  cron: string;
  /** IANA name of the time zone. Default: UTC. */
  timezone?: string;
  /** Passed to the task, for instance the id of a user. */
  externalId?: string;
  /**
   * Delays each run by a fraction of this window that is always the same for a schedule, so that schedules
   * with the same times do not all start at once: `"30m"`, `"2h"`, or `"30%"` of the time to the next run.
   * Default: no delay.
   */
  window?: string;
}
export interface CreateScheduleOptions extends UpdateScheduleOptions {
  /** An environment has at most one schedule with this key: a second call updates it. */
  deduplicationKey: string;
}

export interface ScheduleObject {
  id: string;
  type: "DECLARATIVE" | "IMPERATIVE";
  task: string;
  active: boolean;
  deduplicationKey?: string;
  externalId?: string;
  generator: { type: "CRON"; expression: string; description: string };
  timezone: string;
  window?: string;
  /** The next time of the cron expression; undefined while the schedule is not active. */
  nextRun?: Date;
  /** When that run is due: later than `nextRun` if the schedule has a window. */
  nextRunEffectiveAt?: Date;
  /** The time of the cron expression that the last run was for. */
  lastRun?: Date;
  environments: { id: string; type: string; userName?: string | null }[];
}

export interface ListScheduleOptions {
  /** From 1. Default: 1. */
  page?: number;
  /** At most 100. Default: 20. */
  perPage?: number;
}
