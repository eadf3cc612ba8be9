import { z } from "zod";
import { ConcurrencyLimit, Partitions } from "../manifest.ts";
import { RateLimit } from "../rate-limit.ts";
import { parseDuration } from "./durations.ts";
import { PageNumber, wholeNumber } from "./queries.ts";

/** `task`: a task's own queue, named by the task's id. `custom`: one declared with `queue()`. */
export const QueueType = z.enum(["task", "custom"]);

/** How `{queue}` in the path names the queue: by its id (default), by its task, or by its own name. */
export const QueueParamType = z.enum(["id", "task", "custom"]).default("id");

export const RetrieveQueueQuery = z.object({ type: QueueParamType });

const MAX_PER_PAGE = 100;

export const ListQueuesQuery = z.object({
  page: PageNumber.optional(),
  perPage: wholeNumber("perPage is a number")
    .pipe(z.number().min(1).max(MAX_PER_PAGE, `perPage is at most ${MAX_PER_PAGE}`))
    .optional(),
});

export const PauseQueueBody = z.object({ type: QueueParamType, action: z.enum(["pause", "resume"]) });

export const OverrideConcurrencyBody = z
  .object({
    type: QueueParamType,
    concurrencyLimit: ConcurrencyLimit.optional(),
    totalConcurrencyLimit: ConcurrencyLimit.optional(),
  })
  .refine((body) => body.concurrencyLimit !== undefined || body.totalConcurrencyLimit !== undefined, {
    message: "Give concurrencyLimit, totalConcurrencyLimit or both",
  });

/** Null removes the limit, even if one is declared in code. */
export const OverrideRateLimitBody = z
  .object({
    type: QueueParamType,
    rateLimit: RateLimit.nullable().optional(),
    rateLimitPerKey: RateLimit.nullable().optional(),
  })
  .refine((body) => body.rateLimit !== undefined || body.rateLimitPerKey !== undefined, {
    message: "Give rateLimit, rateLimitPerKey or both",
  });

export const OverridePartitionsBody = z.object({ type: QueueParamType, partitions: Partitions });

export const ResetLimitBody = z.object({ type: QueueParamType });

/** A limit: the effective value, the one declared in code, and the one set through the API. Null: no limit is set there. */
const Limit = <T extends z.ZodType>(value: T) =>
  z.object({
    current: value.nullable(),
    base: value.nullable(),
    override: value.nullable(),
    overriddenAt: z.iso.datetime().nullable(),
    /** Always null: the API does not record who changed it. */
    overriddenBy: z.null(),
  });

/** The first fields are those of Trigger.dev's API; those after `totalConcurrency` are Acme's. */
export const QueueItem = z.object({
  id: z.string(),
  /** The name of a task's own queue is the task's id. */
  name: z.string(),
  type: QueueType,
  /** Runs that hold a slot. */
  running: z.number(),
  /** Runs that wait for a slot. */
  queued: z.number(),
  paused: z.boolean(),
  concurrencyLimit: z.number().nullable(),
  version: z.literal("V1"),
  concurrency: Limit(z.number()),
  totalConcurrency: Limit(z.number()),
  /** Runs that are delayed, or that wait for a deployment. */
  delayed: z.number(),
  rateLimit: Limit(RateLimit),
  rateLimitPerKey: Limit(RateLimit),
  /** The number of objects over which new runs are spread. */
  partitions: Limit(z.number()),
});
export type QueueItem = z.output<typeof QueueItem>;

export const ListQueuesResponse = z.object({
  data: z.array(QueueItem),
  pagination: z.object({ currentPage: z.number(), totalPages: z.number(), count: z.number() }),
});

/** The number of minutes of a day, for which a queue keeps its counts. */
const DAY_MINUTES = 24 * 60;
/** The maximum number of points in a response. */
const MOST_POINTS = 300;

const minutes = (name: string, least: number) =>
  z
    .string()
    .transform((text) => (parseDuration(text) ?? 0) / 60_000)
    .refine(
      (value) => Number.isInteger(value) && value >= least && value <= DAY_MINUTES,
      `${name} is a duration of whole minutes, such as "1h", of at most 24 hours`,
    );

export const QueueMetricsQuery = z
  .object({
    type: QueueParamType,
    /** How far back: at most `24h`. Default: `1h`. */
    period: minutes("period", 1).optional(),
    /** The interval of one point. Default: an interval that gives 60 points. */
    resolution: minutes("resolution", 1).optional(),
  })
  .refine(({ period = 60, resolution = period }) => period / resolution <= MOST_POINTS, {
    path: ["resolution"],
    message: `That is more than ${MOST_POINTS} points: ask for a shorter period or a longer resolution`,
  });

export const QueueMetricsPoint = z.object({
  /** When the point's interval begins. */
  time: z.iso.datetime(),
  /** The largest numbers of runs that waited, and that held a slot, at the same time. */
  queued: z.number(),
  running: z.number(),
  /** Runs that were started for the first time, and runs that ended. */
  started: z.number(),
  ended: z.number(),
  /** Median and 95th percentile of how long the started runs had waited. Null: no run was started. */
  delayP50Ms: z.number().nullable(),
  delayP95Ms: z.number().nullable(),
});
export type QueueMetricsPoint = z.output<typeof QueueMetricsPoint>;

/** A queue's activity over time. */
export const QueueMetrics = z.object({
  /** Length of each point's interval, in minutes. */
  resolutionMinutes: z.number(),
  /** Totals of the whole period. */
  delayP50Ms: z.number().nullable(),
  delayP95Ms: z.number().nullable(),
  points: z.array(QueueMetricsPoint),
});
export type QueueMetrics = z.output<typeof QueueMetrics>;
