import { RunStatus } from "@acme/sdk/contract";
import type { SqlRow } from "../lib/sql.ts";
import { limitNamesOf } from "../routing/limit-sets.ts";
import { findRun, type QueueContext, type RunTableRow } from "./context.ts";
import { findDeployment } from "./deployments.ts";
import type { PendingOperation, RunHold } from "./rpc.ts";

/** Runs in front of another are counted up to this many: the count walks an index. */
const MAX_AHEAD = 1_000;
const MAX_OPERATIONS = 20;

/**
 * Returns what this queue knows about why a run does not execute; null if there is no such run. Reads only.
 */
export function holdOf(q: QueueContext, runId: string, now: number): RunHold | null {
  const run = findRun(q, runId);
  if (!run) return null;
  const { concurrencyLimit, totalConcurrencyLimit, paused } = q.settings;
  const counts = q.counters.holdOf(run.concurrency_key, now);
  return {
    status: run.status,
    task: run.task,
    queue: q.ref.queue,
    concurrencyKey: run.concurrency_key || null,
    attempt: run.attempt,
    updatedAt: run.updated_at,
    dueAt: run.due_at,
    hostId: run.host_id,
    lockedVersion:
      run.deployment_id === null ? null : (findDeployment(q, run.deployment_id)?.version ?? null),
    ahead: run.status === RunStatus.PENDING ? aheadOf(q, run) : 0,
    paused,
    key: { running: counts.running, limit: concurrencyLimit, nextStartAt: counts.keyStartAt },
    all: { running: q.counters.running, limit: totalConcurrencyLimit, nextStartAt: counts.startAt },
    limits: limitNamesOf(run.limits),
    operations: operationsOf(q, run),
  };
}

/**
 * Returns the number of runs of its concurrency key, with the same named limits, that are dequeued before it.
 */
function aheadOf(q: QueueContext, run: RunTableRow): number {
  const [row] = q.sql.exec<{ ahead: number }>(
    `SELECT count(*) AS ahead FROM (
       SELECT 1 FROM runs WHERE status = 'PENDING' AND concurrency_key = ? AND limits = ?
         AND (order_at, seq) < (?, ?) LIMIT ${MAX_AHEAD})`,
    run.concurrency_key,
    run.limits,
    run.order_at,
    run.seq,
  );
  return row?.ahead ?? 0;
}

interface OperationRow extends SqlRow {
  kind: PendingOperation["kind"];
  name: string;
  target: string | null;
  until_at: number | null;
}

/** Returns the pending operations of a suspended run. */
function operationsOf(q: QueueContext, run: RunTableRow): PendingOperation[] {
  if (run.status !== RunStatus.WAITING_ON_WAITPOINT) return [];
  return q.sql
    .exec<OperationRow>(
      `SELECT kind, name, target, until_at FROM journal
       WHERE seq = ? AND attempt = ? AND result IS NULL ORDER BY number LIMIT ${MAX_OPERATIONS}`,
      run.seq,
      run.journal_attempt,
    )
    .map(({ kind, name, target, until_at: until }) => ({ kind, name, target, until }));
}
