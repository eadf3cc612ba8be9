import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { MACHINE_PRESETS } from "../machines.ts";
import { QueueName } from "../manifest.ts";
import { ResultResponse } from "./answers.ts";
import { parseDelay, parseDuration } from "./durations.ts";

export const Tag = z.string().min(1).max(LIMITS.tagLength);

/** One tag or a list, as the client sends it. */
export const RunTags = z
  .union([Tag, z.array(Tag)])
  .transform((tags) => (typeof tags === "string" ? [tags] : [...new Set(tags)]))
  .refine((tags) => tags.length <= LIMITS.tagsPerRun, {
    message: `A run can have at most ${LIMITS.tagsPerRun} tags`,
  });

export const Delay = z.string().refine((text) => parseDelay(text, 0) !== null, {
  message: 'Give a duration such as "30s", "1h" or "1d12h", or an ISO 8601 date',
});

/** Durations such as "1h", or a number of seconds; 0 means never. */
const Ttl = z.union([
  z.number().int().min(0),
  z.string().refine((text) => parseDuration(text) !== null, {
    message: 'Give a duration such as "10m", or a number of seconds',
  }),
]);

const duration = (leastMs: number, message: string) =>
  z.string().refine((text) => (parseDuration(text) ?? -1) >= leastMs, { message });

/** Triggers with the same key, in the same environment and task, become one run as long as that is DELAYED. */
const Debounce = z.object({
  key: z.string().min(1).max(512),
  /** From each trigger to the run's start. */
  delay: duration(1_000, 'Give a duration of at least one second, such as "5s" or "1m30s"'),
  /** Whose payload, metadata, tags, maxAttempts, maxDuration and machine the run has: the first trigger's, or the last one's. */
  mode: z.enum(["leading", "trailing"]).default("leading"),
  /** Longest the run waits, counted from the first trigger: one that would move it beyond has a run of its own. */
  maxDelay: duration(1_000, 'Give a duration of at least one second, such as "10m"').optional(),
});

export const IdempotencyKeyOptions = z.object({
  key: z.string(),
  scope: z.enum(["run", "attempt", "global"]),
});

/** An option of the reference that there isn't yet: refused, because a run that ignores it is not what was asked for. */
const notYet = (name: string) => z.never(`${name} is not available in Acme yet: leave it out`).optional();

export const TriggerOptions = z.object({
  queue: z.object({ name: QueueName, concurrencyLimit: z.number().int().optional() }).optional(),
  concurrencyKey: z.string().min(1).max(128).optional(),
  delay: Delay.optional(),
  ttl: Ttl.optional(),
  /** Seconds of head start. */
  priority: z.number().min(0).max(31_536_000).optional(),
  idempotencyKey: z.string().min(1).max(2_048).optional(),
  idempotencyKeyTTL: z
    .string()
    .refine((text) => parseDuration(text) !== null, { message: 'Give a duration such as "24h"' })
    .optional(),
  idempotencyKeyOptions: IdempotencyKeyOptions.optional(),
  maxAttempts: z.number().int().min(1).max(LIMITS.maxAttempts).optional(),
  /** Seconds of compute; 0: no limit. */
  maxDuration: z
    .number()
    .min(0)
    .refine((s) => s === 0 || s >= LIMITS.minMaxDurationSeconds, {
      message: `maxDuration is at least ${LIMITS.minMaxDurationSeconds} seconds (0: no limit)`,
    })
    .optional(),
  machine: z.enum(MACHINE_PRESETS).optional(),
  metadata: z.unknown().optional(),
  metadataType: z.string().optional(),
  payloadType: z.string().optional(),
  debounce: Debounce.optional(),
  tags: RunTags.optional(),
  test: z.boolean().optional(),
  lockToVersion: z.string().optional(),
  parentRunId: z.string().optional(),
  /** The operation in `x-acme-operation` waits for this run. */
  resumeParentOnCompletion: z.boolean().optional(),
  parentBatch: z.string().optional(),
  gates: notYet("gates"),
  concurrency: notYet("concurrency"),
});
export type TriggerOptions = z.infer<typeof TriggerOptions>;

export const TriggerBody = z.object({
  payload: z.unknown().optional(),
  context: z.unknown().optional(),
  options: TriggerOptions.optional(),
});
export type TriggerBody = z.infer<typeof TriggerBody>;

/** `result`: of a trigger with `?wait=SECONDS`, where the run was over in that time. */
export const TriggerResponse = z.object({
  id: z.string(),
  isCached: z.boolean().optional(),
  result: ResultResponse.optional(),
});
export type TriggerResponse = z.infer<typeof TriggerResponse>;
