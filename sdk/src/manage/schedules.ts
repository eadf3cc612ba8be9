import type { ApiPromise } from "../client/api-promise.ts";
import type { OffsetLimitPagePromise } from "../client/offset-page.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import {
  deleteSchedule,
  getSchedule,
  getTimezones,
  listSchedulePages,
  postActive,
  postSchedule,
  putSchedule,
} from "../client/schedules-api.ts";
import type { InitOutput } from "../define/hook-types.ts";
import { defineTask } from "../define/task.ts";
import type { Task } from "../define/task-types.ts";
import type {
  CreateScheduleOptions,
  ListScheduleOptions,
  ScheduledTaskPayload,
  ScheduleObject,
  ScheduleOptions,
  UpdateScheduleOptions,
} from "./schedule-types.ts";

/** Defines a task that runs by a clock: at the times of its own `cron`, and of schedules that are created for it. */
function task<TIdentifier extends string, TOutput = unknown, TInit extends InitOutput = InitOutput>(
  options: ScheduleOptions<TIdentifier, TOutput, TInit>,
): Task<TIdentifier, ScheduledTaskPayload, TOutput> {
  const cron = typeof options.cron === "string" ? { pattern: options.cron } : options.cron;
  return defineTask<TIdentifier, ScheduledTaskPayload, TOutput, TInit>(options, {
    triggerSource: "schedule",
    schedule: cron && {
      cron: cron.pattern,
      timezone: cron.timezone ?? "UTC",
      environments: cron.environments,
      window: cron.window,
    },
  });
}

/** `id` of a schedule: also the deduplication key of one that was created. All throw ApiError and its kin. */
export const schedules = {
  task,
  /** Creates a schedule, or updates the one that has this deduplication key. */
  create: (options: CreateScheduleOptions, requestOptions?: ApiRequestOptions): ApiPromise<ScheduleObject> =>
    postSchedule(options, requestOptions),
  /** @throws NotFoundError */
  retrieve: (id: string, requestOptions?: ApiRequestOptions): ApiPromise<ScheduleObject> =>
    getSchedule(id, requestOptions),
  /** Replaces all that was said of a created schedule but its deduplication key. */
  update: (
    id: string,
    options: UpdateScheduleOptions,
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<ScheduleObject> => putSchedule(id, options, requestOptions),
  /** Deletes a created schedule; its runs stay. */
  del: (id: string, requestOptions?: ApiRequestOptions): ApiPromise<{ id: string }> =>
    deleteSchedule(id, requestOptions),
  /** Lets a schedule run again, from its next time on. */
  activate: (id: string, requestOptions?: ApiRequestOptions): ApiPromise<ScheduleObject> =>
    postActive(id, true, requestOptions),
  /** Keeps a schedule from running; deploying doesn't change that. */
  deactivate: (id: string, requestOptions?: ApiRequestOptions): ApiPromise<ScheduleObject> =>
    postActive(id, false, requestOptions),
  /** All schedules of the environment, declared ones too, newest first. */
  list: (
    options: ListScheduleOptions = {},
    requestOptions?: ApiRequestOptions,
  ): OffsetLimitPagePromise<ScheduleObject> => listSchedulePages(options, requestOptions),
  /** The time zones that schedules can be in; UTC is the first. */
  timezones: (
    options: { excludeUtc?: boolean } = {},
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<{ timezones: string[] }> => getTimezones(options.excludeUtc ?? false, requestOptions),
};
