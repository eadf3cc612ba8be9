import type { ENVIRONMENT_TYPES } from "../contract/manifest.ts";
import type { InitOutput } from "../define/hook-types.ts";
import type { TaskOptions } from "../define/task-types.ts";

/** What a run of a scheduled task gets. */
export interface ScheduledTaskPayload {
  scheduleId: string;
  /** DECLARATIVE: by the task's own `cron`. IMPERATIVE: by `schedules.create`. */
  type: "DECLARATIVE" | "IMPERATIVE";
  /** The time that this run is for: one that the expression names, however late it starts. */
  timestamp: Date;
  /** What `timestamp` was in the run before this one; undefined in the first. */
  lastTimestamp?: Date;
  /** As given to `schedules.create`. */
  externalId?: string;
  /** IANA name. */
  timezone: string;
  /** The next 5 times. */
  upcoming: Date[];
}

export interface CronOptions {
  /** Minute, hour, day of month, month, day of week; or `@daily` and its like. */
  pattern: string;
  /** IANA name. Default: UTC. */
  timezone?: string;
  /** Each run is due later by a stable share of this, `"30m"`, `"2h"` or `"30%"` of the time to the next. Default: none. */
  window?: string;
  /** Default: all. */
  environments?: (typeof ENVIRONMENT_TYPES)[number][];
}

export type ScheduleOptions<
  TIdentifier extends string,
  TOutput,
  TInit extends InitOutput = InitOutput,
> = TaskOptions<TIdentifier, ScheduledTaskPayload, TOutput, TInit> & {
  /** When it runs by itself; deploying puts it into effect. Schedules can also be attached with `schedules.create`. */
  cron?: string | CronOptions;
};

/** Replaces a schedule: what isn't given is as if it never was. */
export interface UpdateScheduleOptions {
  /** Id of a task defined with `schedules.task`. */
  task: string;
  /** Minute, hour, day of month, month, day of week; or `@daily` and its like. */
  cron: string;
  /** IANA name. Default: UTC. */
  timezone?: string;
  /** Handed to the task, for instance the id of a user. */
  externalId?: string;
  /** Each run is due later by a stable share of this, `"30m"`, `"2h"` or `"30%"` of the time to the next. Default: none. */
  window?: string;
}
export interface CreateScheduleOptions extends UpdateScheduleOptions {
  /** There is one schedule with this key in an environment: a second call updates it. */
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
  /** The next time that the expression names; undefined while the schedule isn't active. */
  nextRun?: Date;
  /** When the run of it is due: later than `nextRun` where the schedule has a window. */
  nextRunEffectiveAt?: Date;
  /** The time that the last run was for. */
  lastRun?: Date;
  environments: { id: string; type: string; userName?: string | null }[];
}

export interface ListScheduleOptions {
  /** From 1. Default: 1. */
  page?: number;
  /** At most 100. Default: 20. */
  perPage?: number;
}
