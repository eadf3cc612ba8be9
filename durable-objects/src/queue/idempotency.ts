import { due, type QueueContext } from "./context.ts";

export interface Claim {
  task: string;
  key: string;
  runId: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/**
 * Returns the run that a key stands for, and until when: the claim's own run, unless an earlier claim has not
 * expired. The creator of the run passes `expiresAt` on, so that the run is kept for as long as its key (see
 * `runs.kept_until`).
 */
export function claimKey(q: QueueContext, claim: Claim): { runId: string; expiresAt: number } {
  const row = q.sql.exec<{ runId: string; expiresAt: number }>(
    `INSERT INTO idempotency (task, key, run_id, expires_at) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (task, key) DO UPDATE SET
       run_id = CASE WHEN expires_at <= ?5 THEN excluded.run_id ELSE run_id END,
       expires_at = CASE WHEN expires_at <= ?5 THEN excluded.expires_at ELSE expires_at END
     RETURNING run_id AS runId, expires_at AS expiresAt`,
    claim.task,
    claim.key,
    claim.runId,
    claim.expiresAt,
    q.now,
  )[0] as { runId: string; expiresAt: number };
  due(q, claim.expiresAt);
  return row;
}

/** Deletes a key. Returns false when it stood for no run. */
export function resetKey(q: QueueContext, task: string, key: string): boolean {
  return (
    q.sql
      .exec<{ expires_at: number }>(
        "DELETE FROM idempotency WHERE task = ? AND key = ? RETURNING expires_at",
        task,
        key,
      )
      .filter((row) => row.expires_at > q.now).length > 0
  );
}

/** Deletes expired idempotency or debounce keys. Returns how many, at most `limit`. */
export function dropExpiredKeys(q: QueueContext, table: "idempotency" | "debounces", limit: number): number {
  return q.sql.exec(
    `DELETE FROM ${table} WHERE (task, key) IN
       (SELECT task, key FROM ${table} WHERE expires_at <= ? ORDER BY expires_at LIMIT ? + 0) RETURNING 1 AS dropped`,
    q.now,
    limit,
  ).length;
}

/** Makes a key stand for run `to`, which the run that it was claimed for has become part of. */
export function pointKey(
  q: QueueContext,
  { task, key, from, to }: { task: string; key: string; from: string; to: string },
): void {
  q.sql.exec(
    "UPDATE idempotency SET run_id = ? WHERE task = ? AND key = ? AND run_id = ?",
    to,
    task,
    key,
    from,
  );
}
