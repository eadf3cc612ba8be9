import { z } from "zod";
import { OperationKind } from "../journal.ts";
import { PUBLIC_STATUSES } from "./runs.ts";

export const WHY_REASONS = [
  /** The run is finished. */
  "finished",
  /** An attempt is executing. */
  "executing",
  /** A host has the run and has not reported its start yet. */
  "starting",
  /** The run's delay or debounce has not passed. */
  "delayed",
  /** The last attempt failed, and the next one is not due yet. */
  "retrying",
  /** The run is suspended: it waits for a time, a token, a run or a batch. */
  "waiting",
  /** No deployed version has the run's task, or nothing was deployed yet. */
  "version",
  "queue_paused",
  "environment_paused",
  /** All slots of the run's concurrency key, queue or environment are in use. */
  "concurrency_key_limit",
  "queue_limit",
  "environment_limit",
  /**
   * A concurrency limit that the run shares with other tasks is paused, or has no free slot, in total or for
   * the run's key.
   */
  "shared_limit_paused",
  "shared_limit",
  "shared_limit_key",
  /** The rate limit of the run's concurrency key or queue allows the next start only later. */
  "concurrency_key_rate",
  "queue_rate",
  /** No container host is connected. */
  "no_host",
  /** The run waits only for a free host and its turn. */
  "host",
] as const;
export type WhyReason = (typeof WHY_REASONS)[number];

const Time = z.iso.datetime();

/**
 * One reason why a run does not execute, or what it does instead. Only the fields that belong to the reason
 * are present.
 */
export const WhyBlocker = z.object({
  reason: z.enum(WHY_REASONS),
  /** One sentence in English. */
  message: z.string(),
  /** Slots in use, and the limit. */
  running: z.number().optional(),
  limit: z.number().optional(),
  /** When a delay, a backoff, a rate limit or a lease ends. */
  until: Time.optional(),
  /** The operations that a suspended run waits for. `target`: id of the token, run or batch. */
  operations: z
    .array(
      z.object({
        kind: OperationKind,
        name: z.string(),
        target: z.string().optional(),
        until: Time.optional(),
      }),
    )
    .optional(),
  /** The version that the run is locked to, or else the current one. */
  version: z.string().optional(),
  hostId: z.string().optional(),
});
export type WhyBlocker = z.infer<typeof WhyBlocker>;

/** `GET /api/v1/runs/:id/why`. */
export const WhyResponse = WhyBlocker.extend({
  id: z.string(),
  status: z.enum(PUBLIC_STATUSES),
  taskIdentifier: z.string(),
  /** As in `GET /api/v1/queues`. */
  queue: z.object({ id: z.string(), name: z.string(), type: z.enum(["task", "custom"]) }),
  concurrencyKey: z.string().optional(),
  /** Its place among the runs of its concurrency key that wait in its queue, from 1; 1001 means that or more. */
  position: z.number().optional(),
  /** When the run's status last changed. */
  since: Time,
  /**
   * Everything that has to change before the run executes. `reason` and `message` are those of the first one.
   */
  blockers: z.array(WhyBlocker),
});
export type WhyResponse = z.infer<typeof WhyResponse>;
