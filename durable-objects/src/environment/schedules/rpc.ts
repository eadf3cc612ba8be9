import type { CreateScheduleBody, ScheduleType, UpdateScheduleBody } from "@acme/sdk/contract/api";
import type { EnvironmentRef } from "../../routing/refs.ts";

/** Times in milliseconds since the epoch. */
export interface ScheduleRecord {
  id: string;
  type: ScheduleType;
  task: string;
  active: boolean;
  /** Null: the schedule is declared in code. */
  deduplicationKey: string | null;
  externalId: string | null;
  cron: string;
  timezone: string;
  window: string | null;
  /** The tick of the last run. Null: there was none. */
  lastTick: number | null;
  /** The tick of the next run. Null: the schedule is not active, or its expression has no later time. */
  nextTick: number | null;
  /** When the run of `nextTick` is due. */
  dueAt: number | null;
}

export interface ScheduleError {
  error:
    | "schedule_not_found"
    | "invalid_cron"
    | "invalid_timezone"
    | "task_not_found"
    | "task_not_scheduled"
    | "declarative_schedule"
    | "too_many_schedules";
  message: string;
}

/**
 * The methods of an environment's object for its schedules. `ref`: a schedule's id, or the deduplication key of one that was
 * created.
 */
export interface EnvironmentSchedulesRpc {
  /** Creates a schedule, or updates the one that has this deduplication key. */
  createSchedule(
    environment: EnvironmentRef,
    schedule: CreateScheduleBody,
  ): Promise<ScheduleRecord | ScheduleError>;
  updateSchedule(ref: string, schedule: UpdateScheduleBody): Promise<ScheduleRecord | ScheduleError>;
  /** Activates or deactivates a schedule. Repeating it changes nothing. */
  setScheduleActive(ref: string, active: boolean): Promise<ScheduleRecord | ScheduleError>;
  deleteSchedule(ref: string): Promise<{ id: string } | ScheduleError>;
  retrieveSchedule(ref: string): Promise<ScheduleRecord | null>;
  /** Returns schedules, newest first; `page` counts from 1. */
  listSchedules(page: number, perPage: number): Promise<{ schedules: ScheduleRecord[]; count: number }>;
}
