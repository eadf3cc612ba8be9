import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const SCHEDULES_OPERATIONS: Operations = {
  "/api/v1/schedules": {
    get: {
      id: "listSchedules",
      summary: "List schedules, newest first",
      query: api.ListSchedulesQuery,
      response: api.ListSchedulesResponse,
    },
    post: {
      id: "createSchedule",
      summary: "Create a schedule, or update the one that has this deduplication key",
      body: api.CreateScheduleBody,
      response: api.ScheduleObject,
    },
  },
  "/api/v1/cron-preview": {
    get: {
      id: "previewCron",
      summary: "List the next times of a cron expression in a time zone, with the zone's offset from UTC",
      query: api.PreviewCronQuery,
      response: api.PreviewCronResponse,
    },
  },
  "/api/v1/schedules/{id}": {
    get: {
      id: "retrieveSchedule",
      summary: "Retrieve a schedule, by id or deduplication key",
      response: api.ScheduleObject,
    },
    put: {
      id: "updateSchedule",
      summary: "Replace a schedule",
      body: api.UpdateScheduleBody,
      response: api.ScheduleObject,
    },
    delete: { id: "deleteSchedule", summary: "Delete a schedule", response: api.DeletedSchedule },
  },
  "/api/v1/schedules/{id}/activate": {
    post: {
      id: "activateSchedule",
      summary: "Activate a schedule, from its next tick on",
      response: api.ScheduleObject,
    },
  },
  "/api/v1/schedules/{id}/deactivate": {
    post: { id: "deactivateSchedule", summary: "Deactivate a schedule", response: api.ScheduleObject },
  },
  "/api/v1/timezones": {
    get: {
      id: "listTimezones",
      summary: "List the time zones that schedules can have",
      query: api.TimezonesQuery,
      response: api.TimezonesResponse,
    },
  },
};
