import { RunStatus } from "@acme/sdk/contract";
import { loseLease } from "./attempts.ts";
import { addEvent, type QueueContext, type RunTableRow, specOf } from "./context.ts";
import { dropExpiredKeys } from "./idempotency.ts";
import { isKnown } from "./parked-runs.ts";
import { wakeDue } from "./suspension.ts";
import { releaseSlot, transition } from "./transition.ts";

/** The maximum number of runs that one commit moves. A long list of due runs takes several commits. */
export const TIMER_BATCH = 500;

/** Does what is due. Returns true when there may be more. */
export function runTimers(q: QueueContext): boolean {
  const dueRuns = q.sql.exec<RunTableRow>(
    "SELECT * FROM runs WHERE due_at <= ? ORDER BY due_at LIMIT ? + 0",
    q.now,
    TIMER_BATCH,
  );
  for (const run of dueRuns) runDue(q, run);
  const expired = q.sql.exec<RunTableRow>(
    "SELECT * FROM runs WHERE ttl_at <= ? ORDER BY ttl_at LIMIT ? + 0",
    q.now,
    TIMER_BATCH,
  );
  for (const run of expired) expire(q, run);
  const dropped = dropExpiredKeys(q, "idempotency", TIMER_BATCH);
  const debounced = dropExpiredKeys(q, "debounces", TIMER_BATCH);
  return Math.max(dueRuns.length, expired.length, dropped, debounced) === TIMER_BATCH;
}

/** When the next timer is due; null: none is set. Refills of rate limits have no rows: each commit returns the next one. */
export function nextTimer(q: QueueContext): number | null {
  const row = q.sql.exec<{ at: number | null }>(
    `SELECT min(at) AS at FROM (
       SELECT min(due_at) AS at FROM runs WHERE due_at IS NOT NULL
       UNION ALL SELECT min(ttl_at) FROM runs WHERE ttl_at IS NOT NULL
       UNION ALL SELECT min(expires_at) FROM idempotency
       UNION ALL SELECT min(expires_at) FROM debounces)`,
  )[0];
  return row?.at ?? null;
}

function runDue(q: QueueContext, run: RunTableRow): void {
  switch (run.status) {
    case RunStatus.DELAYED:
      enqueueDelayed(q, run);
      return;
    case RunStatus.RETRYING:
      transition(q, run, RunStatus.PENDING);
      return;
    case RunStatus.WAITING_ON_WAITPOINT:
      wakeDue(q, run);
      return;
    case RunStatus.DEQUEUED:
      loseLease(q, run, `the attempt's start was not reported within ${q.timeouts.dequeuedLeaseMs / 1000} s`);
      return;
    case RunStatus.EXECUTING:
      loseLease(q, run, `the lease was not renewed within ${q.timeouts.executingLeaseMs / 1000} s`);
      return;
    case RunStatus.CANCELED:
      if (run.slot === 1) releaseSlot(q, run);
      else forget(q, run);
      return;
    default:
      forget(q, run);
  }
}

function enqueueDelayed(q: QueueContext, run: RunTableRow): void {
  const known = isKnown(q, run.task);
  const { ttlMs } = specOf(run);
  transition(q, run, known ? RunStatus.PENDING : RunStatus.PENDING_VERSION, {
    queued_at: known ? q.now : null,
    ttl_at: ttlMs ? q.now + ttlMs : null,
  });
}

function expire(q: QueueContext, run: RunTableRow): void {
  addEvent(q, run.seq, "expired", "The run's ttl passed before it was started");
  transition(q, run, RunStatus.EXPIRED, {
    error_message: "The run's ttl passed before it was started",
  });
}

/** Deletes a run whose retention has passed, with all rows that belong to it. */
function forget(q: QueueContext, run: RunTableRow): void {
  for (const table of [
    "runs",
    "payloads",
    "outputs",
    "metadata",
    "attempts",
    "events",
    "journal",
    "waiters",
  ]) {
    q.sql.exec(`DELETE FROM ${table} WHERE seq = ?`, run.seq);
  }
}
