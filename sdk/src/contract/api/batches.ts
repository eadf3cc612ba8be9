import { z } from "zod";
import { TaskRunError } from "../run-errors.ts";
import { wholeNumber } from "./queries.ts";
import { IdempotencyKey, Reference, TriggerBody, TriggerOptions } from "./trigger.ts";

export const BATCH_LIMITS = {
  items: 10_000,
  /** The maximum number of items of a request that carries all of them in its body. */
  itemsInBody: 500,
  /** The maximum size of one line of the stream, which is one item. */
  itemBytes: 3 * 1024 * 1024,
  /** A batch whose items have not all arrived within this time is aborted, and none of its runs is created. */
  sealMs: 30 * 60_000,
} as const;

/** `code` of the error that a waiting parent gets for a batch whose items did not all arrive in time. */
export const BATCH_NOT_SEALED = "BATCH_NOT_SEALED";

export const BATCH_STATUSES = ["PENDING", "PROCESSING", "COMPLETED", "PARTIAL_FAILED", "ABORTED"] as const;
/**
 * PENDING: not all items have arrived. PROCESSING: its runs are being created and executed. COMPLETED: all runs have
 * finished, with any outcome. PARTIAL_FAILED: as COMPLETED, but some items were refused. ABORTED: no run was created.
 */
export type BatchStatus = (typeof BATCH_STATUSES)[number];

const TaskId = z.string().min(1).max(512);

/** `POST /api/v3/batches`. */
export const CreateBatchBody = z.object({
  runCount: z
    .number()
    .int()
    .min(1, "A batch has at least one item")
    .max(BATCH_LIMITS.items, `A batch has at most ${BATCH_LIMITS.items} items`),
  taskIdentifiers: z.array(TaskId).max(BATCH_LIMITS.items).optional(),
  parentRunId: Reference.optional(),
  /** The operation in `x-acme-operation` waits for all runs: its result is `{"batchId": …}`. */
  resumeParentOnCompletion: z.boolean().optional(),
  idempotencyKey: IdempotencyKey.optional(),
});

export const CreateBatchResponse = z.object({
  id: z.string(),
  runCount: z.number(),
  /** True if the batch already has all of its items, so that none have to be sent. */
  isCached: z.boolean(),
  idempotencyKey: z.string().optional(),
});

/** The index of a line's item. It is checked before the rest of the line, so that an error in the rest fails only this item. */
export const BatchItemIndex = z.object({ index: z.number().int().min(0) });

/** A line of `POST /api/v3/batches/:id/items` (NDJSON). */
export const BatchItemLine = z.object({
  index: z.number().int().min(0),
  task: TaskId,
  payload: z.unknown().optional(),
  options: TriggerOptions.optional(),
});

export const StreamBatchItemsResponse = z.object({
  id: z.string(),
  itemsAccepted: z.number(),
  itemsDeduplicated: z.number(),
  sealed: z.boolean(),
  enqueuedCount: z.number().optional(),
  expectedCount: z.number().optional(),
});

export const BatchItemError = z.object({
  index: z.number(),
  taskIdentifier: z.string(),
  error: z.string(),
  errorCode: z.string().optional(),
});
export type BatchItemError = z.infer<typeof BatchItemError>;

export const RetrieveBatchResponse = z.object({
  id: z.string(),
  status: z.enum(BATCH_STATUSES),
  idempotencyKey: z.string().optional(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  runCount: z.number(),
  /** Ids of the runs that were created so far, in the order of their items. */
  runs: z.array(z.string()),
  /** Number of runs that have finished. */
  completedCount: z.number(),
  processing: z.object({ completedAt: z.iso.datetime().optional(), errors: z.array(BatchItemError) }),
});
export type RetrieveBatchResponse = z.infer<typeof RetrieveBatchResponse>;

export const ListBatchesQuery = z.object({
  "page[size]": wholeNumber("Give a number from 1 to 100").pipe(z.number().min(1).max(100)).optional(),
  "page[after]": z
    .string()
    .regex(/^batch_[0-9a-z]{1,64}$/, "Give `next` of a page")
    .optional(),
});

/** A batch in a list: without its items. */
export const BatchSummary = z.object({
  id: z.string(),
  status: z.enum(BATCH_STATUSES),
  idempotencyKey: z.string().optional(),
  parentRunId: z.string().optional(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
  runCount: z.number(),
  /** Number of runs that have finished. */
  completedCount: z.number(),
  /** Number of items for which no run could be created. */
  refusedCount: z.number(),
});
export type BatchSummary = z.infer<typeof BatchSummary>;

/** Batches that have at least one run, newest first. */
export const ListBatchesResponse = z.object({
  data: z.array(BatchSummary),
  pagination: z.object({ next: z.string().optional() }),
});

export const BatchResultsQuery = z.object({
  "page[size]": wholeNumber("Give a number from 1 to 1000").pipe(z.number().min(1).max(1_000)).optional(),
  /** Index of the item after which the page begins. */
  "page[after]": wholeNumber("Give the index of an item").optional(),
});

export const BatchResultItem = z.union([
  z.object({
    ok: z.literal(true),
    index: z.number(),
    id: z.string(),
    taskIdentifier: z.string(),
    output: z.string().optional(),
    outputType: z.string(),
  }),
  z.object({
    ok: z.literal(false),
    index: z.number(),
    /** Empty if the item was refused and has no run. */
    id: z.string(),
    taskIdentifier: z.string(),
    error: TaskRunError,
  }),
]);
export type BatchResultItem = z.infer<typeof BatchResultItem>;

/** Items that have finished, in the order of their indexes. */
export const BatchResultsResponse = z.object({
  id: z.string(),
  items: z.array(BatchResultItem),
  pagination: z.object({ next: z.string().optional() }),
});

const itemsOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .min(1, "A batch has at least one item")
    .max(
      BATCH_LIMITS.itemsInBody,
      `At most ${BATCH_LIMITS.itemsInBody} items fit in one body: use POST /api/v3/batches for more`,
    );

/** `POST /api/v1/tasks/:id/batch`. */
export const TaskBatchBody = z.object({ items: itemsOf(TriggerBody) });
export const TaskBatchResponse = z.object({ batchId: z.string(), runs: z.array(z.string()) });

/** `POST /api/v1/tasks/batch` and `POST /api/v2/tasks/batch`. */
export const MixedBatchBody = z.object({
  items: itemsOf(TriggerBody.extend({ task: TaskId })),
  parentRunId: Reference.optional(),
});
export const MixedBatchResponse = z.object({
  id: z.string(),
  isCached: z.boolean(),
  runs: z.array(z.object({ id: z.string(), taskIdentifier: z.string(), isCached: z.boolean() })),
});
export const MixedBatchCountResponse = z.object({ id: z.string(), runCount: z.number() });
