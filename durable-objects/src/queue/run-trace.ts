import { TRACED_OPERATIONS } from "@acme/sdk/contract";
import { findRun, type QueueContext, specOf } from "./context.ts";
import { findDeployment } from "./deployments.ts";
import type { OperationTrace, RunTrace } from "./rpc.ts";
import { attemptsOf } from "./run-views.ts";

/** The maximum number of operations of all attempts of a run together. */
const MAX_OPERATIONS = 20_000;
const MAX_EVENTS = 500;
const MAX_MESSAGE = 1_000;

type OperationRow = Omit<OperationTrace, "failed"> & {
  ok: number | null;
  [column: string]: string | number | null;
};

/**
 * Returns what a run's owner knows about the spans of the run, its attempts and its durable operations; null
 * if there is no such run.
 */
export function runTrace(q: QueueContext, runId: string): RunTrace | null {
  const row = findRun(q, runId);
  if (!row) return null;
  const spec = specOf(row);
  const events = q.sql.exec<{ time: number; type: string; message: string }>(
    "SELECT time, type, message FROM events WHERE seq = ? ORDER BY ordinal LIMIT ? + 0",
    row.seq,
    MAX_EVENTS,
  );
  return {
    id: row.id,
    task: row.task,
    status: row.status,
    queue: q.ref.queue,
    machine: spec.machine,
    isTest: spec.isTest,
    version: row.deployment_id ? (findDeployment(q, row.deployment_id)?.version ?? null) : null,
    traceparent: spec.traceparent ?? null,
    parentRunId: spec.parentRunId ?? null,
    rootRunId: spec.rootRunId ?? null,
    createdAt: row.created_at,
    queuedAt: row.queued_at,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    errorMessage: row.error_message,
    attempts: attemptsOf(q, row).map(({ error, ...attempt }) => ({
      ...attempt,
      error: error === null ? null : ("message" in error ? (error.message ?? "") : "").slice(0, MAX_MESSAGE),
    })),
    operations: operationsOf(q, row.seq),
    events,
  };
}

/** Results are left out, because they can be large. */
function operationsOf(q: QueueContext, seq: number): OperationTrace[] {
  return q.sql
    .exec<OperationRow>(
      `SELECT attempt, number, kind, name, location, target, until_at AS until, started_at AS startedAt,
         completed_at AS completedAt, json_extract(result, '$.ok') AS ok,
         substr(json_extract(result, '$.error.message'), 1, ${MAX_MESSAGE}) AS error
       FROM journal WHERE seq = ? AND number < ? ORDER BY attempt, number LIMIT ${MAX_OPERATIONS}`,
      seq,
      TRACED_OPERATIONS,
    )
    .map(({ ok, ...operation }) => ({ ...operation, failed: ok === 0 }));
}
