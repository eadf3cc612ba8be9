import { z } from "zod";
import { ConcurrencyLimit } from "../manifest.ts";

/** Environments of an organization with a weight of 2 get twice the share of those with 1 when hosts are short. */
export const Weight = z.number().min(0.1).max(100);

export const EnvironmentSettingsBody = z
  .object({
    /** Runs executing at once; no single queue uses more. */
    concurrencyLimit: ConcurrencyLimit,
    /** All queues together may use so many times the limit, rounded down. */
    burstFactor: z.number().min(1).max(10),
    weight: Weight,
    /** Most runs of a queue that have not started; null: the platform's limit. */
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
