import type { OperationResult } from "@acme/sdk/contract";
import { BATCH_LIMITS, BATCH_NOT_SEALED, type BatchStatus } from "@acme/sdk/contract/api";
import type { Sql, SqlRow } from "../lib/sql.ts";
import type { RunFinished } from "../queue/rpc.ts";
import type { EnvironmentRef } from "../routing/refs.ts";
import type { BatchChunk, BatchRecord, NewBatch } from "./rpc.ts";
import { ITEM } from "./schema.ts";

export interface BatchRow extends SqlRow {
  id: string;
  environment: string;
  environment_key: string;
  run_count: number;
  idempotency_key: string | null;
  parent_run_id: string | null;
  ancestors: string;
  created_at: number;
  updated_at: number;
  item_count: number;
  waiting_count: number;
  refused_count: number;
  over_count: number;
  sealed_at: number | null;
  enqueued_at: number | null;
  completed_at: number | null;
  aborted: number;
  /** Why its runs are canceled; null: they are not. */
  canceled: string | null;
}

export const readBatch = (sql: Sql): BatchRow | undefined => sql.exec<BatchRow>("SELECT * FROM batch")[0];

export const environmentOf = (batch: BatchRow): EnvironmentRef =>
  JSON.parse(batch.environment) as EnvironmentRef;

/** Creates the batch, unless it exists. */
export function createBatch(sql: Sql, batch: NewBatch, now: number): void {
  sql.exec(
    `INSERT INTO batch (one, id, environment, environment_key, run_count, idempotency_key, parent_run_id, ancestors,
       created_at, updated_at, item_count, waiting_count, refused_count, over_count, aborted)
     VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING`,
    batch.id,
    JSON.stringify(batch.environment),
    batch.environment.key,
    batch.runCount,
    batch.idempotencyKey,
    batch.parentRunId,
    JSON.stringify(batch.ancestors),
    now,
    now,
  );
}

/** Returns the indexes whose items have not arrived. */
export function missingItems(sql: Sql, indexes: number[]): number[] {
  const rows = sql.exec<{ value: number }>(
    "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT idx FROM items)",
    JSON.stringify(indexes),
  );
  return rows.map(({ value }) => value);
}

/** Stores new items, and seals the batch with its last one. An aborted batch takes no items. */
export function addItems(
  sql: Sql,
  batch: BatchRow,
  { queues, items }: BatchChunk,
  now: number,
): { accepted: number; deduplicated: number } {
  if (batch.aborted === 1) return { accepted: 0, deduplicated: 0 };
  for (const { queueKey, queue, partition, declaration } of queues) {
    sql.exec(
      "INSERT INTO queues (queue_key, queue, partition, settings) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      queueKey,
      queue,
      partition,
      JSON.stringify(declaration),
    );
  }
  let accepted = 0;
  let refused = 0;
  for (const item of items) {
    const isRefused = "error" in item;
    const inserted = sql.exec(
      `INSERT INTO items (idx, task, state, run_id, cached, error, error_code) SELECT ?1, ?2, ?3, ?4, 0, ?5, ?6
       WHERE ?1 < ?7 ON CONFLICT DO NOTHING RETURNING idx`,
      item.index,
      item.task,
      isRefused ? ITEM.refused : ITEM.waiting,
      isRefused ? null : item.runId,
      isRefused ? item.error : null,
      isRefused ? item.code : null,
      batch.run_count,
    );
    if (inserted.length === 0) continue;
    accepted += 1;
    if (isRefused) refused += 1;
    else {
      sql.exec(
        "INSERT INTO waiting (idx, queue_key, bytes, item) VALUES (?, ?, ?, ?)",
        item.index,
        item.queueKey,
        item.item.length,
        item.item,
      );
    }
  }
  sql.exec(
    `UPDATE batch SET item_count = item_count + ?1, waiting_count = waiting_count + ?2, refused_count = refused_count + ?3,
       updated_at = ?4, sealed_at = CASE WHEN item_count + ?1 = run_count THEN coalesce(sealed_at, ?4) END`,
    accepted,
    accepted - refused,
    refused,
    now,
  );
  completeIfOver(sql, now);
  return { accepted, deduplicated: items.length - accepted };
}

/** Records that a run of the batch has ended. The first end is kept. */
export function runFinished(sql: Sql, index: number, finished: RunFinished, now: number): void {
  const before = sql.exec<{ state: number }>("SELECT state FROM items WHERE idx = ?", index)[0]?.state;
  if (before !== ITEM.waiting && before !== ITEM.created) return;
  sql.exec("UPDATE items SET state = ?, run_id = ? WHERE idx = ?", ITEM.over, finished.runId, index);
  sql.exec("INSERT INTO results (idx, result) VALUES (?, ?)", index, JSON.stringify(finished.result));
  sql.exec("DELETE FROM waiting WHERE idx = ?", index);
  // The run ended before its queue's answer to its creation arrived, so it was created.
  sql.exec(
    "UPDATE batch SET over_count = over_count + 1, waiting_count = waiting_count - ?, updated_at = ?",
    before === ITEM.waiting ? 1 : 0,
    now,
  );
  completeIfOver(sql, now);
}

/** Records when all runs have been created, and when all of them have ended. */
export function completeIfOver(sql: Sql, now: number): void {
  sql.exec(
    `UPDATE batch SET enqueued_at = coalesce(enqueued_at, ?1),
       completed_at = CASE WHEN over_count + refused_count = run_count THEN coalesce(completed_at, ?1) END
     WHERE sealed_at IS NOT NULL AND waiting_count = 0`,
    now,
  );
}

export const sealDueAt = (batch: BatchRow): number | null =>
  batch.sealed_at === null && batch.aborted === 0 ? batch.created_at + BATCH_LIMITS.sealMs : null;

/** Aborts a batch whose items did not all arrive in time. None of its runs was created. */
export function abortUnsealed(sql: Sql, now: number): void {
  const batch = readBatch(sql);
  const due = batch && sealDueAt(batch);
  if (due === undefined || due === null || due > now) return;
  abort(sql, now);
}

function abort(sql: Sql, now: number): void {
  sql.exec("UPDATE batch SET aborted = 1, waiting_count = 0, completed_at = ?1, updated_at = ?1", now);
  sql.exec("DELETE FROM waiting");
}

/**
 * Cancels a batch. Its runs are canceled once they are created, so each exists and says why it ended. A batch that is not
 * sealed has no runs and is aborted.
 */
export function cancelBatch(sql: Sql, batch: BatchRow, reason: string, now: number): void {
  sql.exec("UPDATE batch SET canceled = coalesce(canceled, ?), updated_at = ?", reason, now);
  if (batch.sealed_at === null) abort(sql, now);
}

/** Returns runs after item `after` that are still to be canceled. */
export const nextToCancel = (sql: Sql, after: number, limit: number): { idx: number; runId: string }[] =>
  sql.exec<{ idx: number; runId: string }>(
    `SELECT idx, run_id AS runId FROM items WHERE idx > ? AND state = ${ITEM.created} ORDER BY idx LIMIT ? + 0`,
    after,
    limit,
  );

export function statusOf(batch: BatchRow): BatchStatus {
  if (batch.aborted === 1) return "ABORTED";
  if (batch.sealed_at === null) return "PENDING";
  if (batch.refused_count === batch.run_count) return "ABORTED";
  if (batch.completed_at === null) return "PROCESSING";
  return batch.refused_count > 0 ? "PARTIAL_FAILED" : "COMPLETED";
}

export const recordOf = (batch: BatchRow): BatchRecord => ({
  id: batch.id,
  status: statusOf(batch),
  runCount: batch.run_count,
  idempotencyKey: batch.idempotency_key,
  parentRunId: batch.parent_run_id,
  createdAt: batch.created_at,
  updatedAt: batch.updated_at,
  itemCount: batch.item_count,
  refusedCount: batch.refused_count,
  completedCount: batch.over_count,
  sealed: batch.sealed_at !== null,
  canceled: batch.canceled,
  // Only a batch whose parent waits for it has ancestors.
  parentWaits: batch.ancestors !== "[]",
  enqueuedAt: batch.enqueued_at,
  completedAt: batch.completed_at,
});

/** Returns the result for an operation that waits for the batch; null until the batch is complete. */
export function resultOf(batch: BatchRow): OperationResult | null {
  if (batch.completed_at === null) return null;
  if (batch.aborted === 0) {
    return { ok: true, output: JSON.stringify({ batchId: batch.id }), outputType: "application/json" };
  }
  const arrived = `${batch.item_count} of its ${batch.run_count} items had arrived`;
  const why =
    batch.canceled === null
      ? `was given up: only ${arrived} within ${BATCH_LIMITS.sealMs / 60_000} minutes`
      : `was canceled when ${arrived}: ${batch.canceled}`;
  const message = `Batch ${batch.id} ${why}. None of its runs was created.`;
  return { ok: false, error: { type: "INTERNAL_ERROR", code: BATCH_NOT_SEALED, message } };
}
