import type { RunProjection, RunRow } from "@acme/durable-objects/rpc";
import type { Bindings } from "../../bindings.ts";
import { retentionDaysOf } from "../retention.ts";
import { hasClickHouse, openClickHouse } from "./client.ts";

/**
 * The table of runs in ClickHouse, or null: there is none. Queues send it the same rows as the query side, each by a cursor of
 * its own: what one can't take now waits in the queue, and keeps nothing from the other.
 */
export function openRunsTable(env: Bindings): RunProjection | null {
  if (!hasClickHouse(env)) return null;
  return {
    async upsertRuns(rows) {
      const environments = [...new Set(rows.map(({ environmentKey }) => environmentKey))];
      const days = new Map(
        await Promise.all(environments.map(async (key) => [key, await retentionDaysOf(env, key)] as const)),
      );
      await openClickHouse(env).client.insert({
        table: "runs",
        format: "JSONEachRow",
        values: rows.map((row) => tableRow(row, days.get(row.environmentKey) as number)),
        // The version in each row decides which one counts, so it does not matter if one is inserted twice.
        clickhouse_settings: { async_insert: 1, wait_for_async_insert: 1 },
      });
    },
  };
}

const seconds = (ms: number | null): string | null => (ms === null ? null : (ms / 1000).toFixed(3));

const tableRow = (run: RunRow, retentionDays: number): object => ({
  id: run.id,
  environment_key: run.environmentKey,
  task: run.task,
  queue: run.queue,
  status: run.status,
  version: run.version,
  concurrency_key: run.concurrencyKey,
  tags: run.tags,
  is_test: run.isTest ? 1 : 0,
  attempts: run.attempts,
  machine: run.machine,
  deployment_version: run.deploymentVersion ?? "",
  idempotency_key: run.userIdempotencyKey ?? run.idempotencyKey,
  idempotency_key_scope: run.idempotencyKeyScope ?? "",
  ttl_ms: run.ttlMs,
  delay_until: seconds(run.delayUntil),
  created_at: seconds(run.createdAt),
  queued_at: seconds(run.queuedAt),
  started_at: seconds(run.startedAt),
  completed_at: seconds(run.completedAt),
  expired_at: seconds(run.expiredAt),
  updated_at: seconds(run.updatedAt),
  usage_ms: Math.max(0, Math.round(run.usageMs)),
  max_duration: run.maxDuration,
  depth: run.depth,
  parent_run_id: run.parentRunId,
  root_run_id: run.rootRunId,
  batch_id: run.batchId,
  schedule_id: run.scheduleId,
  replayed_from: run.replayedFrom,
  bulk_actions: run.bulkActions,
  error_message: run.errorMessage?.toWellFormed() ?? null,
  retention_days: retentionDays,
});
