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
  /** Runs that wait for one. */
  queued: z.number(),
  paused: z.boolean(),
  concurrencyLimit: z.number().nullable(),
  version: z.literal("V1"),
  concurrency: Limit(z.number()),
  totalConcurrency: Limit(z.number()),
  /** Runs that wait for their time or for a deployment. */
  delayed: z.number(),
  rateLimit: Limit(RateLimit),
  rateLimitPerKey: Limit(RateLimit),
  /** Objects that new runs are spread over. */
  partitions: Limit(z.number()),
});
export type QueueItem = z.output<typeof QueueItem>;

export const ListQueuesResponse = z.object({
  data: z.array(QueueItem),
  pagination: z.object({ currentPage: z.number(), totalPages: z.number(), count: z.number() }),
});

/** Minutes of a day: what a queue keeps. */
const DAY_MINUTES = 24 * 60;
/** Most points of an answer. */
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
    /** The time of a point. Default: what gives 60 points. */
    resolution: minutes("resolution", 1).optional(),
  })
  .refine(({ period = 60, resolution = period }) => period / resolution <= MOST_POINTS, {
    path: ["resolution"],
    message: `That is more than ${MOST_POINTS} points: ask for a shorter period or a longer resolution`,
  });

export const QueueMetricsPoint = z.object({
  /** When it begins. */
  time: z.iso.datetime(),
  /** The most runs that waited, and that held a slot, at a time. */
  queued: z.number(),
  running: z.number(),
  /** Runs that were started for the first time, and runs that ended. */
  started: z.number(),
  ended: z.number(),
  /** How long half, and 95 %, of the started runs had waited at most. Null: none was started. */
  delayP50Ms: z.number().nullable(),
  delayP95Ms: z.number().nullable(),
});
export type QueueMetricsPoint = z.output<typeof QueueMetricsPoint>;

/** A queue over time. */
export const QueueMetrics = z.object({
  /** Minutes of a point. */
  resolutionMinutes: z.number(),
  /** Totals of the whole period. */
  delayP50Ms: z.number().nullable(),
  delayP95Ms: z.number().nullable(),
  points: z.array(QueueMetricsPoint),
});
export type QueueMetrics = z.output<typeof QueueMetrics>;
