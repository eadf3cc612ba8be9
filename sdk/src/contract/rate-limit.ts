import { z } from "zod";
import { parseDuration } from "./api/durations.ts";

const MIN_PERIOD_MS = 100;
const MAX_PERIOD_MS = 31 * 24 * 3_600_000;

/**
 * How many runs may start per period. Runs beyond the limit wait in the queue and start later; none is
 * dropped. Within any one period there are at most `limit` + `burst` − 1 starts.
 */
export const RateLimit = z.object({
  limit: z.number().int().min(1).max(1_000_000),
  /** A duration such as "1m", or milliseconds; milliseconds once parsed. */
  period: z.union([z.number(), z.string()]).transform((period, ctx) => {
    const ms = typeof period === "number" ? period : parseDuration(period);
    if (ms !== null && ms >= MIN_PERIOD_MS && ms <= MAX_PERIOD_MS) return ms;
    ctx.addIssue({
      code: "custom",
      message: 'Give a duration such as "10s" or "1m", or milliseconds: from 100 ms to 31 days',
    });
    return z.NEVER;
  }),
  /**
   * How many runs may start at the same moment after a pause. Default: 1, which spaces starts evenly over the
   * period.
   */
  burst: z.number().int().min(1).max(1_000_000).optional(),
});
export type RateLimit = z.infer<typeof RateLimit>;
