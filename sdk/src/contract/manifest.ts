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
   * A run that runs out of memory is retried on this machine, if it has attempts left and ran on another one. Absent: it
   * fails.
   */
  outOfMemory: z.object({ machine: z.enum(MACHINE_PRESETS).optional() }).optional(),
});
export type RetryOptions = z.infer<typeof RetryOptions>;

export const QueueName = z.string().min(1).max(128);

export const ConcurrencyLimit = z.number().int().min(0).max(100_000);

export const Partitions = z
  .number("partitions is a number")
  .int("partitions is a whole number")
  .min(1, "partitions is at least 1")
  .max(MAX_PARTITIONS, `partitions is at most ${MAX_PARTITIONS}`);

/** Limits of a queue. Null or absent: there is none but the environment's. */
export const QueueLimits = z.object({
  /**
   * Most runs executing at once: of each concurrency key, which is a copy of the queue; runs without a key share one
   * copy.
   */
  concurrencyLimit: ConcurrencyLimit.nullish(),
  /** Most runs executing at once over all concurrency keys. */
  totalConcurrencyLimit: ConcurrencyLimit.nullish(),
  /** Starts of the whole queue. */
  rateLimit: RateLimit.nullish(),
  /** Starts of each concurrency key; runs without a key share one. */
  rateLimitPerKey: RateLimit.nullish(),
  /** Objects that the queue is spread over. Absent: one. */
  partitions: Partitions.nullish(),
});
export type QueueLimits = z.infer<typeof QueueLimits>;

export const QueueManifest = QueueLimits.extend({ name: QueueName });
export type QueueManifest = z.infer<typeof QueueManifest>;

export const ENVIRONMENT_TYPES = ["DEVELOPMENT", "STAGING", "PREVIEW", "PRODUCTION"] as const;

/** The `cron` of a `schedules.task`. Whether it is an expression and a zone is checked where ticks are worked out. */
export const ScheduleManifest = z.object({
  cron: z.string().min(1).max(256),
  /** IANA name. */
  timezone: z.string().min(1).max(128).default("UTC"),
  /** Absent: all. */
  environments: z.array(z.enum(ENVIRONMENT_TYPES)).optional(),
  window: ScheduleWindow.optional(),
});
export type ScheduleManifest = z.infer<typeof ScheduleManifest>;

/** What indexing a bundle tells of one task. */
export const TaskManifest = z.object({
  id: z.string().min(1).max(128),
  filePath: z.string().max(1_024),
  exportName: z.string().max(256).optional(),
  description: z.string().max(4_096).optional(),
  /** Absent: the task's own queue, `task/ID`. */
  queue: QueueManifest.partial({ name: true }).optional(),
  retry: RetryOptions.optional(),
  machine: z.enum(MACHINE_PRESETS).optional(),
  /** Seconds. */
  maxDuration: z.number().int().min(5).optional(),
  /** Milliseconds a run may wait for its first dequeue. */
  ttlMs: z.number().int().min(0).optional(),
  /** JSON schema of the payload, where the task declares one. */
  payloadSchema: z.unknown().optional(),
  /** Declared with `schedules.task`: schedules may be attached to it. */
  triggerSource: z.literal("schedule").optional(),
  schedule: ScheduleManifest.optional(),
});
export type TaskManifest = z.infer<typeof TaskManifest>;

/** What indexing a bundle tells: written by `acme deploy`, stored with the deployment. */
export const WorkerManifest = z.object({
  tasks: z.array(TaskManifest).max(5_000),
  /** Queues declared with `queue()`. */
  queues: z.array(QueueManifest).max(5_000).default([]),
  /** Default retry of `acme.config.ts`. */
  retry: RetryOptions.optional(),
  /** Milliseconds: a run that has to wait longer is suspended. */
  suspendAfterMs: z.number().int().min(0).optional(),
  runtime: z.enum(["node"]).default("node"),
  sdkVersion: z.string().max(64).default("0.1.0"),
});
export type WorkerManifest = z.infer<typeof WorkerManifest>;

export const defaultQueueName = (taskId: string): string => `task/${taskId}`;

/** What a deployment says about a queue: declared with `queue()`, or with the task whose own queue it is. */
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
