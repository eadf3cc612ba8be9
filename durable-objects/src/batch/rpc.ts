import type { TaskRunError } from "@acme/sdk/contract";
import type { BatchItemError, BatchStatus } from "@acme/sdk/contract/api";
import type { QueueDeclaration, RunFinished } from "../queue/rpc.ts";
import type { EnvironmentRef } from "../routing/refs.ts";
import type { OperationWaiter } from "../shared/operation-waiters.ts";
import type { KeyClaimRpc } from "../shared/rpc.ts";

/** One object per batch, named by the batch's id. These are the methods that queues call; the Worker's are in `BatchOwnerRpc`. */
export interface BatchRpc {
  /**
   * Cancels the batch's runs, including runs that are not created yet, because nobody waits for it any more.
   * Idempotent.
   */
  cancelBatch(environmentKey: string, reason: string): Promise<void>;
  /** From a QueueObject: the run of item `index` has ended. Delivered at least once; idempotent. */
  runFinished(environmentKey: string, index: number, finished: RunFinished): Promise<void>;
}

export interface NewBatch {
  id: string;
  environment: EnvironmentRef;
  runCount: number;
  idempotencyKey: string | null;
  parentRunId: string | null;
  /** If the parent waits for the batch: the runs that can't end before it. None of the batch's runs may be one of them. */
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
  /** Items among them for which no run could be created. */
  refusedCount: number;
  /** Runs that have ended. */
  completedCount: number;
  /** True: all items have arrived. */
  sealed: boolean;
  /** Why its runs are canceled; null: they are not. */
  canceled: string | null;
  /** True: the parent waits for the batch. */
  parentWaits: boolean;
  /** When the last of its runs was created. */
  enqueuedAt: number | null;
  completedAt: number | null;
}

/** A prepared item (`item` is a `TriggerItem` as JSON, which is passed on unchanged), or why it is refused. */
export type BatchItem =
  | { index: number; task: string; runId: string; queueKey: string; item: string }
  | { index: number; task: string; error: string; code: string };

export interface BatchChunk {
  /** The queues of the items. */
  queues: { queueKey: string; queue: string; partition: number; declaration: QueueDeclaration }[];
  items: BatchItem[];
}

export interface CreatedRun {
  index: number;
  task: string;
  runId: string;
  cached: boolean;
}

/** An item that has ended: its run has ended, or the item was refused (`runId` null). */
export interface BatchResult {
  index: number;
  task: string;
  runId: string | null;
  result: { ok: true; output?: string | null; outputType?: string } | { ok: false; error: TaskRunError };
}

/** The methods that the Worker calls. Null: there is no such batch in this environment. */
export interface BatchOwnerRpc extends BatchRpc, KeyClaimRpc {
  /** Idempotent by id; a waiter is added to an existing one. */
  createBatch(batch: NewBatch): Promise<BatchRecord>;
  retrieveBatch(environmentKey: string): Promise<BatchRecord | null>;
  /** Returns the indexes whose items have not arrived. */
  missingItems(environmentKey: string, indexes: number[]): Promise<number[]>;
  /**
   * Adds items; items that arrived before don't change. The last one seals the batch, and its runs are
   * created.
   */
  addItems(
    environmentKey: string,
    chunk: BatchChunk,
  ): Promise<(BatchRecord & { accepted: number; deduplicated: number }) | null>;
  /** Waits until the runs of a sealed batch are created, as far as their queues can be reached. */
  whenEnqueued(environmentKey: string): Promise<CreatedRun[] | null>;
  /** Runs created so far, in the order of their items, and items that were refused. */
  listItems(environmentKey: string): Promise<{ runs: string[]; errors: BatchItemError[] } | null>;
  /**
   * Items that have ended, in the order of their indexes, after index `after` (-1: from the start): at most `limit`, and at
   * most 100. `more`: there are further ones.
   */
  listResults(
    environmentKey: string,
    after: number,
    limit: number,
  ): Promise<{ results: BatchResult[]; more: boolean } | null>;
}
