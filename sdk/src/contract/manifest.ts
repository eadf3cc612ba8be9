import { z } from "zod";
import { MAX_PARTITIONS } from "./limits.ts";
import { MACHINE_PRESETS } from "./machines.ts";
import { RateLimit } from "./rate-limit.ts";
import { ScheduleWindow } from "./schedule-window.ts";

export const RetryOptions = z.object({
  maxAttempts: z.number().int().min(1).optional(),
  factor: z.number().min(0).optional(),
  minTimeoutInMs: z.number().int().min(0).optional(),
  maxTimeoutInMs: z.number().int().min(0).optional(),
  randomize: z.boolean().optional(),
  /**
   * A run that runs out of memory is retried on this machine, if it has attempts left and did not run on this
   * machine already. Absent: the run fails.
   */
  outOfMemory: z.object({ machine: z.enum(MACHINE_PRESETS).optional() }).optional(),
});
export type RetryOptions = z.infer<typeof RetryOptions>;

export const QueueName = z.string().min(1).max(128);

export const ConcurrencyLimit = z.number().int().min(0).max(100_000);

export const Partitions = z
  .number("partitions has to be a number")
  .int("partitions has to be a whole number")
  .min(1, "partitions has to be at least 1")
  .max(MAX_PARTITIONS, `partitions can be at most ${MAX_PARTITIONS}`);

/** The limits of a queue. If a limit is null or absent, only the environment's limit applies. */
export const QueueLimits = z.object({
  /**
   * How many runs of each concurrency key may execute at once. Runs without a key count as runs of one key.
   */
  concurrencyLimit: ConcurrencyLimit.nullish(),
  /** How many runs of all concurrency keys together may execute at once. */
  totalConcurrencyLimit: ConcurrencyLimit.nullish(),
  /** Limits how many runs of the whole queue start per period. */
  rateLimit: RateLimit.nullish(),
  /**
   * Limits how many runs of each concurrency key start per period. Runs without a key count as runs of one
   * key.
   */
  rateLimitPerKey: RateLimit.nullish(),
  /** How many objects the queue is spread over. Absent: one. */
  partitions: Partitions.nullish(),
});
export type QueueLimits = z.infer<typeof QueueLimits>;

export const QueueManifest = QueueLimits.extend({ name: QueueName });
export type QueueManifest = z.infer<typeof QueueManifest>;

/** The name of a concurrency limit that several tasks can share. */
export const LimitName = z
  .string()
  .regex(
    /^[a-zA-Z0-9_-]{1,122}$/,
    "The name of a concurrency limit has 1 to 122 letters, digits, underscores and hyphens",
  );

/** The names of the shared concurrency limits that a run holds in addition to those of its queue. */
export const LimitNames = z.array(LimitName).max(2, "A run holds at most two concurrency limits with names");

/** A name made by `taskLimitName` is allowed too. */
const DeclaredLimitName = z.union([LimitName, z.string().regex(/^task\/[^\s,]{1,1200}$/)]);

const SharedBound = z.number().int().min(1).max(100_000);

/** A concurrency limit declared with `concurrencyLimit()`. */
export const NamedLimitManifest = z.object({
  name: DeclaredLimitName,
  /** How many runs of each concurrency key may execute at once. Runs without a key count as runs of one key. */
  perKey: SharedBound.optional(),
  /** How many runs of all concurrency keys together may execute at once. */
  total: SharedBound.optional(),
});
export type NamedLimitManifest = z.infer<typeof NamedLimitManifest>;

export const ENVIRONMENT_TYPES = ["DEVELOPMENT", "STAGING", "PREVIEW", "PRODUCTION"] as const;

/**
 * The `cron` of a `schedules.task`. The expression and the time zone are validated where the ticks are
 * computed.
 */
export const ScheduleManifest = z.object({
  cron: z.string().min(1).max(256),
  /** IANA name of the time zone. */
  timezone: z.string().min(1).max(128).default("UTC"),
  /** Absent: all environments. */
  environments: z.array(z.enum(ENVIRONMENT_TYPES)).optional(),
  window: ScheduleWindow.optional(),
});
export type ScheduleManifest = z.infer<typeof ScheduleManifest>;

/** What indexing a bundle finds about a task. */
export const TaskManifest = z.object({
  id: z.string().min(1).max(128),
  filePath: z.string().max(1_024),
  exportName: z.string().max(256).optional(),
  description: z.string().max(4_096).optional(),
  /** Absent: the task has a queue of its own, `task/ID`. */
  queue: QueueManifest.partial({ name: true }).optional(),
  /**
   * Names of the concurrency limits that its runs hold in addition to those of its queue: at most two shared
   * ones and one of its own.
   */
  limits: z.array(DeclaredLimitName).max(3).optional(),
  retry: RetryOptions.optional(),
  machine: z.enum(MACHINE_PRESETS).optional(),
  /** Seconds. */
  maxDuration: z.number().int().min(5).optional(),
  /** How many milliseconds a run may wait for its first dequeue. */
  ttlMs: z.number().int().min(0).optional(),
  /** The payload's JSON schema, if the task declares one. */
  payloadSchema: z.unknown().optional(),
  /** Declared with `schedules.task`: schedules may be attached to it. */
  triggerSource: z.literal("schedule").optional(),
  schedule: ScheduleManifest.optional(),
});
export type TaskManifest = z.infer<typeof TaskManifest>;

/** What indexing a bundle finds. `acme deploy` sends it, and it is stored with the deployment. */
export const WorkerManifest = z.object({
  tasks: z.array(TaskManifest).max(5_000),
  /** Queues declared with `queue()`. */
  queues: z.array(QueueManifest).max(5_000).default([]),
  /** Concurrency limits declared with `concurrencyLimit()`, and those of tasks in shared queues. */
  limits: z.array(NamedLimitManifest).max(5_000).optional(),
  /** The default retry settings of `acme.config.ts`. */
  retry: RetryOptions.optional(),
  /** A run that waits for longer than this many milliseconds is suspended. */
  suspendAfterMs: z.number().int().min(0).optional(),
  runtime: z.enum(["node"]).default("node"),
  sdkVersion: z.string().max(64).default("0.1.0"),
});
export type WorkerManifest = z.infer<typeof WorkerManifest>;

export const defaultQueueName = (taskId: string): string => `task/${taskId}`;

/**
 * Returns the limits that a deployment declares for a queue: with `queue()`, or with the task whose own queue
 * it is.
 */
export function limitsOfQueue(
  deployment: {
    queue(name: string): QueueManifest | undefined;
    task(id: string): TaskManifest | undefined;
  },
  name: string,
): QueueLimits {
  const declared = deployment.queue(name);
  if (declared) return declared;
  const own = name.startsWith("task/") ? deployment.task(name.slice("task/".length))?.queue : undefined;
  return own && (own.name ?? name) === name ? own : {};
}
