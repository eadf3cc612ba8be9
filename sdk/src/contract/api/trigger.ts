import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { MACHINE_PRESETS } from "../machines.ts";
import { LimitNames, QueueName } from "../manifest.ts";
import { ResultResponse } from "./answers.ts";
import { MAX_DURATION_MS, parseDelay, parseDuration } from "./durations.ts";

export const Tag = z.string().min(1).max(LIMITS.tagLength);

/** One tag or a list, as the client sends it. */
export const RunTags = z
  .union([Tag, z.array(Tag)])
  .transform((tags) => (typeof tags === "string" ? [tags] : [...new Set(tags)]))
  .refine((tags) => tags.length <= LIMITS.tagsPerRun, {
    message: `A run can have at most ${LIMITS.tagsPerRun} tags`,
  });

/** A duration from now, or an ISO 8601 date; at most ten years away. */
export const Delay = z.string().refine((text) => parseDelay(text, Date.now()) !== null, {
  message: 'Give a duration such as "30s", "1h" or "1d12h", or an ISO 8601 date, at most 10 years from now',
});

/** How long an idempotency key is held. */
export const KeyTtl = z.string().refine((text) => parseDuration(text) !== null, {
  message: 'Give a duration such as "24h", of at most 10 years',
});

/** The id of a run, batch, token or version. No reference to another object is longer. */
export const Reference = z.string().max(128);

/** Durations such as "1h", or a number of seconds; 0 means never. */
const Ttl = z.union([
  z
    .number()
    .int()
    .min(0)
    .max(MAX_DURATION_MS / 1000, "ttl is at most 10 years"),
  z.string().refine((text) => parseDuration(text) !== null, {
    message: 'Give a duration such as "10m", or a number of seconds, of at most 10 years',
  }),
]);

const duration = (leastMs: number, message: string) =>
  z.string().refine((text) => (parseDuration(text) ?? -1) >= leastMs, { message });

/** Triggers with the same key, in the same environment and task, become one run while that run is DELAYED. */
const Debounce = z.object({
  key: z.string().min(1).max(512),
  /** Time from each trigger to the run's start. */
  delay: duration(
    1_000,
    'Give a duration of at least one second and at most 10 years, such as "5s" or "1m30s"',
  ),
  /**
   * Which trigger's payload, metadata, tags, maxAttempts, maxDuration and machine the run has. `leading`: the
   * first one's; `trailing`: the last one's.
   */
  mode: z.enum(["leading", "trailing"]).default("leading"),
  /** Longest wait, counted from the first trigger. A trigger that would exceed it creates a run of its own. */
  maxDelay: duration(
    1_000,
    'Give a duration of at least one second and at most 10 years, such as "10m"',
  ).optional(),
});

const MAX_KEY_LENGTH = 2_048;

export const IdempotencyKey = z.string().min(1).max(MAX_KEY_LENGTH);

export const IdempotencyKeyOptions = z.object({
  key: z.string().max(MAX_KEY_LENGTH),
  scope: z.enum(["run", "attempt", "global"]),
});

/** An option of Trigger.dev that Acme does not have yet. It is refused, because ignoring it would change what the run does. */
const notYet = (name: string) => z.never(`${name} is not available in Acme yet: leave it out`).optional();

export const TriggerOptions = z.object({
  queue: z.object({ name: QueueName, concurrencyLimit: z.number().int().optional() }).optional(),
  concurrencyKey: z.string().min(1).max(128).optional(),
  delay: Delay.optional(),
  ttl: Ttl.optional(),
  /** Seconds of head start. */
  priority: z.number().min(0).max(31_536_000).optional(),
  idempotencyKey: IdempotencyKey.optional(),
  idempotencyKeyTTL: KeyTtl.optional(),
  idempotencyKeyOptions: IdempotencyKeyOptions.optional(),
  maxAttempts: z.number().int().min(1).max(LIMITS.maxAttempts).optional(),
  /** Seconds of compute; 0: no limit. */
  maxDuration: z
    .number()
    .min(0)
    .max(MAX_DURATION_MS / 1000, "maxDuration is at most 10 years")
    .refine((s) => s === 0 || s >= LIMITS.minMaxDurationSeconds, {
      message: `maxDuration is at least ${LIMITS.minMaxDurationSeconds} seconds (0: no limit)`,
    })
    .optional(),
  machine: z.enum(MACHINE_PRESETS).optional(),
  metadata: z.unknown().optional(),
  metadataType: z.string().max(128).optional(),
  payloadType: z.string().max(128).optional(),
  debounce: Debounce.optional(),
  tags: RunTags.optional(),
  test: z.boolean().optional(),
  lockToVersion: Reference.optional(),
  parentRunId: Reference.optional(),
  /** The operation in `x-acme-operation` waits for this run. */
  resumeParentOnCompletion: z.boolean().optional(),
  parentBatch: Reference.optional(),
  gates: notYet("gates"),
  /** Names of shared concurrency limits, which replace those that the task names. */
  concurrency: LimitNames.optional(),
});
export type TriggerOptions = z.infer<typeof TriggerOptions>;

export const TriggerBody = z.object({
  payload: z.unknown().optional(),
  context: z.unknown().optional(),
  options: TriggerOptions.optional(),
});
export type TriggerBody = z.infer<typeof TriggerBody>;

/** `result` is present if the request had `?wait=SECONDS` and the run finished within that time. */
export const TriggerResponse = z.object({
  id: z.string(),
  isCached: z.boolean().optional(),
  result: ResultResponse.optional(),
});
export type TriggerResponse = z.infer<typeof TriggerResponse>;
