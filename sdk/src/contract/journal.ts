/**
 * The journal of a run: its durable operations and their results. Operations are numbered from 0 in the order
 * in which the task's code starts them, separately for each attempt. The journal is stored in the run's queue
 * object, is sent to the host with every dequeue, and makes a replay return what was returned before.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";
import { TaskRunError } from "./run-errors.ts";
import { fitsBytes } from "./text.ts";

/** Milliseconds since the epoch, or of a duration: what a `Date` can hold. */
const Millis = z.number().int().min(0).max(8_640_000_000_000_000);

const OPERATION_KINDS = [
  /** `wait.for`, `wait.until`: complete at `until`. */
  "wait",
  /** `wait.forToken`: `target` is the token's id. */
  "token",
  /** `triggerAndWait`: `target` is the child's run id. */
  "run",
  /** `batchTriggerAndWait`: `target` is the batch's id. */
  "batch",
  /** `trigger` inside a run: complete as soon as the child exists. `target` is its run id. */
  "trigger",
  /** `batchTrigger` inside a run: complete as soon as the batch is accepted. `target` is its id. */
  "batch-trigger",
  /**
   * `step(name, fn)`, and what the SDK records in the same way: complete when the function has returned or
   * thrown.
   */
  "step",
] as const;
export const OperationKind = z.enum(OPERATION_KINDS);
export type OperationKind = z.infer<typeof OperationKind>;

/** The result of an operation. `output` is text of type `outputType`, like a run's output. */
export const OperationResult = z.discriminatedUnion("ok", [
  z.object({
    ok: z.literal(true),
    output: z.string().nullish(),
    outputType: z.string().max(LIMITS.typeBytes).optional(),
  }),
  z.object({ ok: z.literal(false), error: TaskRunError }),
]);
export type OperationResult = z.infer<typeof OperationResult>;

/** Non-deterministic values that plain code read in one segment, or in the recorded part of it. */
const SegmentValues = z.object({
  /** `Date.now()`, `new Date()`: milliseconds since the epoch. */
  now: z.array(z.number()).optional(),
  /** `Math.random()`. */
  random: z.array(z.number()).optional(),
  /** `crypto.randomUUID()`. */
  uuid: z.array(z.string()).optional(),
  /**
   * `fetch`, by method and URL. Bodies are base64. A response over the size limit is not recorded: a replay
   * fetches again.
   */
  fetch: z
    .array(
      z.object({
        request: z.string(),
        status: z.number().int(),
        statusText: z.string(),
        headers: z.array(z.tuple([z.string(), z.string()])),
        body: z.string().nullable(),
        /** Number of the segment that called it, if that is an earlier one: the response arrived later. */
        segment: z.number().int().min(0).optional(),
      }),
    )
    .optional(),
  /**
   * Operations whose results the code got in this segment, in that order. A replay hands them out in the same
   * order, so that concurrent branches start their operations as they did before.
   */
  after: z.array(z.number().int().min(0)).optional(),
});
export type SegmentValues = z.infer<typeof SegmentValues>;

/**
 * The values of the segment between the start of the operation before and the start of this one. On a replay
 * the segment's calls get these in the same order; calls beyond them get new values. They are not numbered
 * with the operations, so a library that asks for the time once more or once less makes no replay fail.
 */
export const RecordedValues = SegmentValues.extend({
  /**
   * What the next segment had recorded when the run began to do nothing but wait. That segment has no
   * operation yet that ends it, and the process may end before it has one. The next operation's own values
   * include these and supersede them.
   */
  tail: SegmentValues.optional(),
});
export type RecordedValues = z.infer<typeof RecordedValues>;

/** An operation is one row in the queue's database. Its JSON is serialized only if it could be too large. */
function fitsRow({ result, values }: { result?: OperationResult; values?: RecordedValues }): boolean {
  const output = result?.ok ? (result.output?.length ?? 0) : 0;
  const recorded = (values?.now?.length ?? 0) + (values?.random?.length ?? 0) + (values?.uuid?.length ?? 0);
  // In JSON, a character takes at most six bytes, and a recorded number or UUID at most 40.
  if (!values?.fetch && !values?.tail && output * 6 + recorded * 40 <= LIMITS.journalEntryBytes) return true;
  return fitsBytes(JSON.stringify({ result, values }), LIMITS.journalEntryBytes);
}

export const JournalEntry = z
  .object({
    number: z.number().int().min(0),
    kind: OperationKind,
    /**
     * The operation's name for users: the task's id, the step's name, the token's id, or the date of a wait.
     */
    name: z.string().max(512),
    /** Where it was called: `src/trigger/order.ts:12:9`. */
    location: z.string().max(512).optional(),
    target: z.string().max(256).optional(),
    /** End of a "wait", milliseconds since the epoch. */
    until: Millis.optional(),
    startedAt: Millis,
    completedAt: Millis.optional(),
    /** Absent until the operation is complete. Never changes after that. */
    result: OperationResult.optional(),
    /**
     * The values of the segment before this operation. They are sent again when `tail` grows; the last ones
     * sent count.
     */
    values: RecordedValues.optional(),
  })
  .refine(fitsRow, {
    message: `An operation's result and the recorded values before it have at most ${LIMITS.journalEntryBytes} bytes of JSON together`,
  });
export type JournalEntry = z.infer<typeof JournalEntry>;

/** A result that reached the run's owner after the run was leased. */
export const CompletedOperation = z.object({
  runId: z.string(),
  number: z.number().int().min(0),
  result: OperationResult,
});
export type CompletedOperation = z.infer<typeof CompletedOperation>;

/**
 * A process that was saved to disk, and the host that saved it. A host that cannot read it replays the run.
 */
export const CheckpointRef = z.object({ id: z.string().min(1).max(128), hostId: z.string().min(1).max(128) });
export type CheckpointRef = z.infer<typeof CheckpointRef>;

/** What a run needs to resume that was suspended, or whose host was lost. */
export const RunResume = z.object({
  /** Entries in the order of their numbers, including incomplete ones. */
  journal: z.array(JournalEntry),
  /** Milliseconds for which the attempt had run by its last suspension. */
  usedMs: z.number().min(0).optional(),
  checkpoint: CheckpointRef.nullish(),
});
export type RunResume = z.infer<typeof RunResume>;
