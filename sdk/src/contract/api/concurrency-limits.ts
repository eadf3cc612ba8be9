import { z } from "zod";
import { ConcurrencyLimit } from "../manifest.ts";
import { parseDuration } from "./durations.ts";
import { PageNumber, QueryText, wholeNumber } from "./queries.ts";

const Time = z.iso.datetime();

/**
 * One bound of a limit: the effective value, the one declared in code, and the one set through the API. Null:
 * none is set there.
 */
const Bound = z.object({
  current: z.number().nullable(),
  base: z.number().nullable(),
  override: z.number().nullable(),
  overriddenAt: Time.nullable(),
});

/** A concurrency limit with a name, which the runs of several tasks can hold. */
export const ConcurrencyLimitItem = z.object({
  id: z.string(),
  name: z.string(),
  /** Limit per concurrency key. Runs without a key count as runs of one key. */
  perKey: Bound,
  /** Limit for all runs that hold it together. */
  total: Bound,
  /** Runs that hold a slot of the limit. */
  running: z.number(),
  /** Runs in their queues that will need a slot of the limit. */
  queued: z.number(),
  /** No run that holds the limit starts. */
  paused: z.boolean(),
});
export type ConcurrencyLimitItem = z.output<typeof ConcurrencyLimitItem>;

/** The bound of a limit for one concurrency key. */
export const ConcurrencyLimitKeyItem = z.object({
  name: z.string(),
  concurrencyKey: z.string(),
  perKey: z.object({
    current: z.number().nullable(),
    /** The limit's own bound for each key. */
    base: z.number().nullable(),
    override: z.number().nullable(),
    /** When the override ends. */
    expiresAt: Time.nullable(),
  }),
  running: z.number(),
  paused: z.boolean(),
});
export type ConcurrencyLimitKeyItem = z.output<typeof ConcurrencyLimitKeyItem>;

export const ListConcurrencyLimitsQuery = z.object({
  page: PageNumber.optional(),
  perPage: wholeNumber("perPage is a number")
    .pipe(z.number().min(1).max(100, "perPage is at most 100"))
    .optional(),
});

export const ListConcurrencyLimitsResponse = z.object({
  data: z.array(ConcurrencyLimitItem),
  pagination: z.object({ currentPage: z.number(), totalPages: z.number(), count: z.number() }),
});

export const RetrieveConcurrencyLimitQuery = z.object({
  /** If given, the response is the limit's bound for this key. */
  concurrencyKey: QueryText.max(128).optional(),
});

export const ConcurrencyLimitAnswer = z.union([ConcurrencyLimitItem, ConcurrencyLimitKeyItem]);

/** A number is converted to the key that it is written as. */
const Key = z.union([z.string().min(1).max(128), z.number()]).transform(String);

const MAX_TTL_MS = 30 * 86_400_000;
const DEFAULT_TTL_MS = 7 * 86_400_000;

/** How long the override of a key is valid, in milliseconds. */
const Ttl = z
  .union([
    z
      .number()
      .int()
      .min(1)
      .transform((seconds) => seconds * 1000),
    z
      .string()
      .max(64)
      .transform((text) => parseDuration(text) ?? 0),
  ])
  .refine(
    (ms) => ms > 0 && ms <= MAX_TTL_MS,
    'Give a duration such as "7d", or a number of seconds, of at most 30 days',
  );

/** Overrides bounds of the limit; or, with `concurrencyKey`, the bound of that key for a while. */
export const OverrideConcurrencyLimitBody = z
  .object({
    perKey: ConcurrencyLimit.optional(),
    total: ConcurrencyLimit.optional(),
    concurrencyKey: Key.optional(),
    ttl: Ttl.optional(),
  })
  .strict()
  .superRefine(({ perKey, total, concurrencyKey, ttl }, context) => {
    const problem = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (concurrencyKey === undefined) {
      if (ttl !== undefined) problem("ttl", "A ttl is for the override of one concurrencyKey: name that too");
      if (perKey === undefined && total === undefined) problem("total", "Give perKey, total or both");
      return;
    }
    if (perKey === undefined) problem("perKey", "The override of one concurrencyKey needs perKey");
    if (total !== undefined)
      problem("total", "The total applies to all keys together: leave out total or concurrencyKey");
  })
  .transform((body) => ({ ...body, ttl: body.ttl ?? DEFAULT_TTL_MS }));

export const PauseConcurrencyLimitBody = z.object({ action: z.enum(["pause", "resume"]) }).strict();

export const ResetConcurrencyLimitBody = z.object({ concurrencyKey: Key.optional() }).strict();
