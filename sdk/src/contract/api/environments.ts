import { z } from "zod";
import { ConcurrencyLimit } from "../manifest.ts";

/**
 * When there are more runs than hosts can take, an organization with weight 2 gets twice the share of one
 * with weight 1.
 */
export const Weight = z.number().min(0.1).max(100);

export const EnvironmentSettingsBody = z
  .object({
    /** The maximum number of runs that execute at once, in total and in any single queue. */
    concurrencyLimit: ConcurrencyLimit,
    /** All queues together may use the limit times this factor, rounded down. */
    burstFactor: z.number().min(1).max(10),
    weight: Weight,
    /** The maximum number of runs of a queue that have not started. Null: the platform's limit. */
    queueSizeLimit: z.number().int().min(1).max(10_000_000).nullable(),
    paused: z.boolean(),
  })
  .partial()
  .strict();

export const EnvironmentResponse = z.object({
  id: z.string(),
  slug: z.string(),
  type: z.string(),
  paused: z.boolean(),
  concurrencyLimit: z.number(),
  burstFactor: z.number(),
  weight: z.number(),
  queueSizeLimit: z.number().nullable(),
});
export type EnvironmentResponse = z.infer<typeof EnvironmentResponse>;
