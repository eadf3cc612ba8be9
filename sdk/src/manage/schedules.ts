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

/**
 * Defines a task that runs on a schedule: at the times of its own `cron`, and of schedules that are created
 * for it.
 */
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

/**
 * Defines scheduled tasks and manages schedules. Every `id` can also be the deduplication key of a schedule
 * that was created. Every function but `task` throws ApiError or a subclass.
 */
export const schedules = {
  task,
  /** Creates a schedule, or updates the one with this deduplication key. */
  create: (options: CreateScheduleOptions, requestOptions?: ApiRequestOptions): ApiPromise<ScheduleObject> =>
    postSchedule(options, requestOptions),
  /** @throws NotFoundError */
  retrieve: (id: string, requestOptions?: ApiRequestOptions): ApiPromise<ScheduleObject> =>
    getSchedule(id, requestOptions),
  /** Replaces all settings of a created schedule except its deduplication key. */
  update: (
    id: string,
    options: UpdateScheduleOptions,
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<ScheduleObject> => putSchedule(id, options, requestOptions),
  /** Deletes a created schedule. Its runs remain. */
  del: (id: string, requestOptions?: ApiRequestOptions): ApiPromise<{ id: string }> =>
    deleteSchedule(id, requestOptions),
  /** Activates a schedule, from its next time on. */
  activate: (id: string, requestOptions?: ApiRequestOptions): ApiPromise<ScheduleObject> =>
    postActive(id, true, requestOptions),
  /** Deactivates a schedule, also across deployments. */
  deactivate: (id: string, requestOptions?: ApiRequestOptions): ApiPromise<ScheduleObject> =>
    postActive(id, false, requestOptions),
  /** Lists all schedules of the environment, including declared ones, newest first. */
  list: (
    options: ListScheduleOptions = {},
    requestOptions?: ApiRequestOptions,
  ): OffsetLimitPagePromise<ScheduleObject> => listSchedulePages(options, requestOptions),
  /** Lists the time zones that a schedule can have. UTC is the first. */
  timezones: (
    options: { excludeUtc?: boolean } = {},
    requestOptions?: ApiRequestOptions,
  ): ApiPromise<{ timezones: string[] }> => getTimezones(options.excludeUtc ?? false, requestOptions),
};
