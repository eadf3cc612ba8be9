import { z } from "zod";
import { ConcurrencyLimit, Partitions } from "../manifest.ts";
import { RateLimit } from "../rate-limit.ts";
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

/** A limit: the effective value, the one declared in code, and the one set through the API. Null: there is none. */
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
