import { type AttemptCompleted, canFollow, holdsSlot, isFinal, RunStatus } from "@acme/sdk/contract";
import { due, findRun, type QueueContext, type RunTableRow } from "./context.ts";
import type { Turn } from "./limited-runs.ts";
import { saveOutput } from "./outputs.ts";
import { deletedAt } from "./retention.ts";
import { notifyWaiters } from "./run-waiters.ts";

/** Columns a transition may set besides the status. */
export type Changes = Partial<
  Pick<
    RunTableRow,
    | "order_at"
    | "ttl_at"
    | "token"
    | "done_token"
    | "attempt"
    | "losses"
    | "host_id"
    | "session_id"
    | "deployment_id"
    | "queued_at"
    | "delay_until"
    | "started_at"
    | "attempt_started_at"
    | "usage_ms"
    | "usage_before_ms"
    | "error_message"
    | "due_at"
    | "slot"
    | "checkpoint"
  >
>;

/**
 * Every change of a run's status is made in this file. Each checks the table of states (`RUN_STATUS`), or names only edges
 * of it, and keeps in step what depends on the status: slot, counters, timers, version, completion time, waiters.
 *
 * - `transition` moves one run to any state.
 * - `leaseRuns` and `succeedRun` are the two moves of the hot path, PENDING → DEQUEUED of many runs and the usual end of
 *   one, as single statements. `test/transition.test.ts` checks that they leave the row that `transition` would.
 * - `releaseSlot` changes no status: a canceled run's host has stopped it.
 *
 * A run comes into being in `trigger.ts` and is deleted in `timers.ts`.
 */

/** Moves one run to another state. Throws if the table of states doesn't allow it. */
export function transition(q: QueueContext, run: RunTableRow, to: RunStatus, changes: Changes = {}): void {
  if (!canFollow(run.status, to)) throw new Error(`Run ${run.id} can't go from ${run.status} to ${to}`);
  const final = isFinal(to);
  const slot = changes.slot ?? (holdsSlot(to) ? 1 : 0);
  const dueAt = changes.due_at ?? (final ? deletedAt(q, run) : null);
  const next: RunTableRow = {
    ...run,
    ...changes,
    status: to,
    slot,
    due_at: dueAt,
    ttl_at: final || slot ? null : (changes.ttl_at ?? run.ttl_at),
    completed_at: final ? q.now : null,
    updated_at: q.now,
    version: q.version,
  };
  write(q, next);
  count(q, run, next);
  if (final) {
    q.effects.finished.push(run.id);
    if (run.waited === 1) notifyWaiters(q, next);
  }
}

/** A canceled run's host has confirmed that it stopped, or should have: the slot is free. */
export function releaseSlot(
  q: QueueContext,
  run: RunTableRow,
  changes: Pick<Changes, "done_token" | "usage_ms"> = {},
): void {
  const next = {
    ...run,
    ...changes,
    slot: 0,
    due_at: deletedAt(q, run),
    updated_at: q.now,
    version: q.version,
  };
  write(q, next);
  count(q, run, next);
}

/** The host session that leases runs, and the deployment for runs that have none yet. */
export interface Lessee {
  hostId: string;
  sessionId: string;
  deploymentId: string;
}

/**
 * The first runs of a key, of those with the same named limits. With a bare `= ?` beside an ORDER BY, SQLite compiles the
 * statement again for each value.
 */
const NEXT = `SELECT seq FROM runs WHERE status = 'PENDING' AND concurrency_key = ? || '' AND limits = ? || ''
   ORDER BY order_at, seq LIMIT ? + 0`;
/**
 * A run keeps the deployment of its first dequeue for all of its attempts. The runs are picked by a statement of their own: with
 * that one inside, SQLite compiles this one again each time, which takes twice as long as both.
 */
const LEASE = `UPDATE runs SET status = 'DEQUEUED', slot = 1, token = token + 1, due_at = ?2, ttl_at = NULL, version = ?3,
   updated_at = ?4, host_id = ?5, session_id = ?6, deployment_id = coalesce(deployment_id, ?7)
   WHERE seq IN (SELECT value FROM json_each(?1)) RETURNING *`;

/** Leases the first pending runs of each key and its limits, as many as `turns` says. Returns the new rows in the order of the queue. */
export function leaseRuns(q: QueueContext, lessee: Lessee, turns: Turn[]): RunTableRow[] {
  const picked = new Set<number>();
  for (const { key, limits, count } of turns) {
    const before = picked.size;
    // Two turns may be of the same runs.
    for (const { seq } of q.sql.exec<{ seq: number }>(NEXT, key, limits, count)) picked.add(seq);
    const more = picked.size - before;
    if (more > 0) q.counters.add(key, { pending: -more, running: more }, limits);
  }
  if (picked.size === 0) return [];
  const dueAt = due(q, q.now + q.timeouts.dequeuedLeaseMs);
  const { hostId, sessionId, deploymentId } = lessee;
  const rows = q.sql.exec<RunTableRow>(
    LEASE,
    JSON.stringify([...picked]),
    dueAt,
    q.version,
    q.now,
    hostId,
    sessionId,
    deploymentId,
  );
  for (const { attempt, losses, journal_attempt, queued_at, created_at } of rows)
    if (attempt === 0 && losses === 0 && journal_attempt === 0)
      q.metrics.started(q.now, Math.max(0, q.now - (queued_at ?? created_at)));
  q.effects.changed = true;
  return rows.sort((a, b) => a.order_at - b.order_at || a.seq - b.seq);
}

/**
 * Ends a leased run that succeeded. Returns false, with nothing changed, if the lease has ended or the run
 * was canceled.
 */
export function succeedRun(
  q: QueueContext,
  success: Pick<AttemptCompleted, "runId" | "token" | "startedAt" | "completedAt" | "usageMs">,
  output: { data: string | null; type: string },
): boolean {
  const row = q.sql.exec<Pick<RunTableRow, "seq" | "concurrency_key" | "limits" | "waited">>(
    `UPDATE runs SET
       attempt = attempt + (status = 'DEQUEUED'),
       started_at = coalesce(started_at, max(created_at, min(?1, ?3))),
       attempt_started_at = CASE
         WHEN status = 'EXECUTING' OR (journal_attempt = attempt + 1 AND attempt_started_at IS NOT NULL)
           THEN attempt_started_at
         ELSE max(created_at, min(?1, ?3)) END,
       status = 'COMPLETED_SUCCESSFULLY', slot = 0, due_at = max(?2, kept_until), ttl_at = NULL, completed_at = ?3,
       updated_at = ?3, version = ?4, done_token = token, usage_ms = usage_ms + ?5, error_message = NULL
     WHERE id = ?6 AND token = ?7 AND done_token <> token AND slot = 1 AND status IN ('DEQUEUED', 'EXECUTING')
       AND (?8 IS NULL OR (session_id = ?8 AND host_id = ?9))
     RETURNING seq, concurrency_key, limits, waited`,
    success.startedAt ?? success.completedAt,
    due(q, q.now + q.timeouts.retentionMs),
    q.now,
    q.version,
    success.usageMs ?? 0,
    success.runId,
    success.token,
    q.reporter?.sessionId ?? null,
    q.reporter?.hostId ?? null,
  )[0];
  if (!row) return false;
  q.effects.changed = true;
  q.effects.finished.push(success.runId);
  q.counters.add(row.concurrency_key, { running: -1 }, row.limits);
  saveOutput(q, row.seq, output.data, output.type, null);
  if (row.waited === 1) notifyWaiters(q, findRun(q, success.runId) as RunTableRow);
  return true;
}

function write(q: QueueContext, run: RunTableRow): void {
  q.sql.exec(
    `UPDATE runs SET status = ?, slot = ?, order_at = ?, due_at = ?, ttl_at = ?, token = ?, done_token = ?, attempt = ?,
       losses = ?, host_id = ?, session_id = ?, deployment_id = ?, version = ?, queued_at = ?, delay_until = ?,
       started_at = ?, attempt_started_at = ?, completed_at = ?, updated_at = ?, usage_ms = ?, usage_before_ms = ?,
       error_message = ?, checkpoint = ?
     WHERE seq = ?`,
    run.status,
    run.slot,
    run.order_at,
    run.due_at,
    run.ttl_at,
    run.token,
    run.done_token,
    run.attempt,
    run.losses,
    run.host_id,
    run.session_id,
    run.deployment_id,
    run.version,
    run.queued_at,
    run.delay_until,
    run.started_at,
    run.attempt_started_at,
    run.completed_at,
    run.updated_at,
    run.usage_ms,
    run.usage_before_ms,
    run.error_message,
    run.checkpoint,
    run.seq,
  );
  q.effects.changed = true;
  if (run.due_at !== null) due(q, run.due_at);
  if (run.ttl_at !== null) due(q, run.ttl_at);
}

function count(q: QueueContext, before: RunTableRow, after: RunTableRow): void {
  const pending = Number(after.status === RunStatus.PENDING) - Number(before.status === RunStatus.PENDING);
  const running = after.slot - before.slot;
  const notYetQueued = Number(isNotYetQueued(after.status)) - Number(isNotYetQueued(before.status));
  if (pending !== 0 || running !== 0 || notYetQueued !== 0)
    q.counters.add(after.concurrency_key, { pending, running, notYetQueued }, after.limits);
}

/** Returns whether a run in this state has never been in the queue. */
export const isNotYetQueued = (status: RunStatus): boolean =>
  status === RunStatus.DELAYED || status === RunStatus.PENDING_VERSION;
