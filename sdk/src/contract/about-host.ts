import { z } from "zod";

const Count = z.number().int().min(0).max(1_000_000);

/** What a host says about itself with each poll. Nothing is decided by it. */
export const AboutHost = z.object({
  /** Of the container host's package. */
  version: z.string().max(64),
  /** `docker` or `process`. */
  executor: z.string().max(64),
  /** Most runs it executes at once. */
  slots: Count,
  /** Runs that it executes now. */
  running: Count,
  /** Suspended runs whose process it keeps on disk; null: it can't save processes, so that runs are resumed by replay. */
  checkpoints: Count.nullable(),
});
export type AboutHost = z.infer<typeof AboutHost>;
