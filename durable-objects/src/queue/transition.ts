import { canFollow, holdsSlot, isFinal, RunStatus } from "@acme/sdk/contract";
import { due, type QueueContext, type RunTableRow } from "./context.ts";
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
 * Moves one run to another state: checks the table of states, and keeps everything in step that depends on the status:
 * slot, counters, timer, version, completion time. Anything that changes a single run's status goes through here;
 * dequeueing, which moves many at once, does the same in one statement.
 */
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

/** A canceled run's host confirmed, or is overdue: the slot is free. */
export function releaseSlot(q: QueueContext, run: RunTableRow): void {
  const next = {
    ...run,
    slot: 0,
    due_at: deletedAt(q, run),
    updated_at: q.now,
    version: q.version,
  };
  write(q, next);
  count(q, run, next);
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
    q.counters.add(after.concurrency_key, { pending, running, notYetQueued });
}

/** It never was in the queue yet. */
export const isNotYetQueued = (status: RunStatus): boolean =>
  status === RunStatus.DELAYED || status === RunStatus.PENDING_VERSION;
