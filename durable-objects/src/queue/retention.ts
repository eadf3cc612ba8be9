import type { QueueContext, RunTableRow } from "./context.ts";

/**
 * Returns when an ended run is deleted: when its retention has passed, but never before its idempotency keys
 * expire.
 */
export const deletedAt = (q: QueueContext, run: Pick<RunTableRow, "kept_until">): number =>
  Math.max(q.now + q.timeouts.retentionMs, run.kept_until);

/** An idempotency key that expires at `time` stands for the run. */
export function keepUntil(q: QueueContext, runId: string, time: number): void {
  q.sql.exec(
    `UPDATE runs SET kept_until = ?1,
       due_at = CASE WHEN completed_at IS NOT NULL AND slot = 0 THEN max(due_at, ?1) ELSE due_at END
     WHERE id = ?2 AND kept_until < ?1`,
    time,
    runId,
  );
}
