import type { TaskRunError } from "@acme/sdk/contract";
import type { BatchItemError, BatchStatus } from "@acme/sdk/contract/api";
import type { QueueDeclaration, RunFinished } from "../queue/rpc.ts";
import type { EnvironmentRef } from "../routing/refs.ts";
import type { OperationWaiter } from "../shared/operation-waiters.ts";
import type { KeyClaimRpc } from "../shared/rpc.ts";

/** One object a batch, named by the batch's id. What creates and fills it is the Worker's own business with it. */
export interface BatchRpc {
  /** Nobody waits for the batch any more: its runs are canceled, now or as soon as they are created. Idempotent. */
  cancelBatch(environmentKey: string, reason: string): Promise<void>;
  /** From a QueueObject: the run of item `index` is over. At least once; idempotent. */
  runFinished(environmentKey: string, index: number, finished: RunFinished): Promise<void>;
}

export interface NewBatch {
  id: string;
  environment: EnvironmentRef;
  runCount: number;
  idempotencyKey: string | null;
  parentRunId: string | null;
  /** Of a batch that its parent waits for: the parent and its ancestors. None of its runs may be one of them. */
  ancestors: string[];
  waiter?: OperationWaiter;
}

/** Times in milliseconds since the epoch. */
export interface BatchRecord {
  id: string;
  status: BatchStatus;
  runCount: number;
  idempotencyKey: string | null;
  parentRunId: string | null;
  createdAt: number;
  updatedAt: number;
  /** Items that have arrived. */
  itemCount: number;
  /** Of those, items that no run could be created for. */
  refusedCount: number;
  /** Runs that are over. */
  completedCount: number;
  /** All items are here. */
  sealed: boolean;
  /** Why its runs are canceled; null: they are not. */
  canceled: string | null;
  /** Its parent waits for it. */
  parentWaits: boolean;
  /** When the last of its runs was created. */
  enqueuedAt: number | null;
  completedAt: number | null;
}

/** A prepared item: `item` is a `TriggerItem` as JSON, so that it passes on as it is; or why it is refused. */
export type BatchItem =
  | { index: number; task: string; runId: string; queueKey: string; item: string }
  | { index: number; task: string; error: string; code: string };

export interface BatchChunk {
  /** Those that the items name. */
  queues: { queueKey: string; queue: string; partition: number; declaration: QueueDeclaration }[];
  items: BatchItem[];
}

export interface CreatedRun {
  index: number;
  task: string;
  runId: string;
  cached: boolean;
}

/** An item that is over: a run, or one that was refused (`runId` null). */
export interface BatchResult {
  index: number;
  task: string;
  runId: string | null;
  result: { ok: true; output?: string | null; outputType?: string } | { ok: false; error: TaskRunError };
}

/** What the Worker says to the objects of the BATCH namespace. Null: there is no such batch in this environment. */
export interface BatchOwnerRpc extends BatchRpc, KeyClaimRpc {
  /** Idempotent by id; a waiter is added to an existing one. */
  createBatch(batch: NewBatch): Promise<BatchRecord>;
  retrieveBatch(environmentKey: string): Promise<BatchRecord | null>;
  /** Which of these have not arrived. */
  missingItems(environmentKey: string, indexes: number[]): Promise<number[]>;
  /** Items that arrived before stay as they were. With the last one, the batch is sealed and its runs are created. */
  addItems(
    environmentKey: string,
    chunk: BatchChunk,
  ): Promise<(BatchRecord & { accepted: number; deduplicated: number }) | null>;
  /** Waits until the runs of a sealed batch are created, as far as their queues can be reached. */
  whenEnqueued(environmentKey: string): Promise<CreatedRun[] | null>;
  /** Runs created so far, in the order of their items, and items that were refused. */
  listItems(environmentKey: string): Promise<{ runs: string[]; errors: BatchItemError[] } | null>;
  /**
   * Items that are over, in the order of their indexes, after index `after` (-1: from the start): at most `limit`, and at
   * most 100. `more`: there are others after these.
   */
  listResults(
    environmentKey: string,
    after: number,
    limit: number,
  ): Promise<{ results: BatchResult[]; more: boolean } | null>;
}
