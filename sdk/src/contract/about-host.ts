import { z } from "zod";

const Count = z.number().int().min(0).max(1_000_000);

/** What a host reports about itself with each poll. It is only displayed; no decision depends on it. */
export const AboutHost = z.object({
  /** Version of the container host's package. */
  version: z.string().max(64),
  /** `docker` or `process`. */
  executor: z.string().max(64),
  /** The maximum number of runs that it executes at once. */
  slots: Count,
  /** The number of runs that it executes now. */
  running: Count,
  /**
   * The number of suspended runs whose process it keeps on disk. Null: it can't save processes, so runs are
   * resumed by replay.
   */
  checkpoints: Count.nullable(),
});
export type AboutHost = z.infer<typeof AboutHost>;
