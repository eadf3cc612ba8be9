import { z } from "zod";
import { ScheduleWindow } from "../schedule-window.ts";
import { PageNumber, wholeNumber } from "./queries.ts";

export const SCHEDULE_TYPES = ["DECLARATIVE", "IMPERATIVE"] as const;
/** DECLARATIVE: the `cron` of a `schedules.task`, changed by deploying. IMPERATIVE: created through the API. */
export type ScheduleType = (typeof SCHEDULE_TYPES)[number];

/** `PUT /api/v1/schedules/:id` replaces the schedule by this: absent fields get their defaults. */
export const UpdateScheduleBody = z.object({
  /** Id of a task declared with `schedules.task`. */
  task: z.string().min(1).max(128),
  /** Minute, hour, day of month, month, day of week; or a shorthand such as `@daily`. */
  cron: z.string().max(256),
  /** IANA name. Default: UTC. */
  timezone: z.string().min(1).max(128).optional(),
  /** Passed to the task, for instance the id of a user. */
  externalId: z.string().max(512).optional(),
  /** Spreads the runs of schedules: each is delayed by a part of this window that is fixed for the schedule. `30m`, `2h`, or `30%` of the interval. */
  window: ScheduleWindow.optional(),
});
export type UpdateScheduleBody = z.infer<typeof UpdateScheduleBody>;

/** `POST /api/v1/schedules`. */
export const CreateScheduleBody = UpdateScheduleBody.extend({
  /** Unique in the environment: a second call with the same key updates the schedule. */
  deduplicationKey: z
    .string({ error: "Give a deduplicationKey: called twice with the same one, there is one schedule" })
    .min(1, "Give a deduplicationKey: called twice with the same one, there is one schedule")
    .max(512),
});
export type CreateScheduleBody = z.infer<typeof CreateScheduleBody>;

export const ScheduleGenerator = z.object({
  type: z.literal("CRON"),
  expression: z.string(),
  /** The expression in English. */
  description: z.string(),
});

export const ScheduleObject = z.object({
  id: z.string(),
  type: z.enum(SCHEDULE_TYPES),
  task: z.string(),
  active: z.boolean(),
  deduplicationKey: z.string().optional(),
  externalId: z.string().optional(),
  generator: ScheduleGenerator,
  timezone: z.string(),
  window: ScheduleWindow.optional(),
  /** The next time of the expression. Absent while the schedule is not active. */
  nextRun: z.iso.datetime().optional(),
  /** When that run is due: later than `nextRun` if the schedule has a window. */
  nextRunEffectiveAt: z.iso.datetime().optional(),
  /** The tick of the schedule's last run. */
  lastRun: z.iso.datetime().optional(),
  environments: z.array(z.object({ id: z.string(), type: z.string(), userName: z.string().nullish() })),
});
export type ScheduleObject = z.infer<typeof ScheduleObject>;

export const DeletedSchedule = z.object({ id: z.string() });

export const ListSchedulesQuery = z.object({
  page: PageNumber.optional(),
  perPage: wholeNumber("perPage is a number, from 1")
    .pipe(z.number().min(1).max(100, "A page has at most 100 schedules"))
    .optional(),
});

export const ListSchedulesResponse = z.object({
  data: z.array(ScheduleObject),
  pagination: z.object({ currentPage: z.number(), totalPages: z.number(), count: z.number() }),
});

export const PreviewCronQuery = UpdateScheduleBody.pick({ cron: true, timezone: true }).extend({
  /** Returns the ticks after this time. Default: now. */
  after: z.iso.datetime({ offset: true }).optional(),
});

/** The next ticks of an expression, at most five. */
export const PreviewCronResponse = z.object({
  generator: ScheduleGenerator,
  timezone: z.string(),
  ticks: z.array(
    z.object({
      at: z.iso.datetime(),
      /**
       * The zone's offset from UTC at that time. It differs from the previous tick's if the clocks change
       * between the two.
       */
      offsetMinutes: z.number(),
    }),
  ),
});
export type PreviewCronResponse = z.infer<typeof PreviewCronResponse>;

export const TimezonesQuery = z.object({ excludeUtc: z.enum(["true", "false"]).optional() });
export const TimezonesResponse = z.object({ timezones: z.array(z.string()) });
