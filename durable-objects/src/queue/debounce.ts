import { RunStatus } from "@acme/sdk/contract";
import { moveStart } from "./changes.ts";
import { due, findRun, type QueueContext, type RunTableRow, specOf } from "./context.ts";
import { pointKey } from "./idempotency.ts";
import { keepUntil } from "./retention.ts";
import type { DebounceClaim, DebouncePush, DebounceVerdict } from "./rpc.ts";
import { addWaiter } from "./run-waiters.ts";

/**
 * Debounced triggers of one environment, task and key share one run while it is DELAYED. The home of the task's keys knows
 * which run a key stands for. Only the run's own queue, which may be another, knows whether it is still DELAYED.
 */

/** A key outlives its run's delay by this much, because the clock of the run's own queue decides when the delay ends. */
const GRACE_MS = 5_000;

/** Returns the run that a key stands for: that of the claim, unless an earlier one may still wait and is not `replaces`. */
export function claimDebounce(q: QueueContext, claim: DebounceClaim): string {
  const expiresAt = claim.until + GRACE_MS;
  const { run_id: runId } = q.sql.exec<{ run_id: string }>(
    `INSERT INTO debounces (task, key, run_id, expires_at) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (task, key) DO UPDATE SET
       run_id = CASE WHEN expires_at <= ?5 OR run_id = ?6 THEN excluded.run_id ELSE run_id END,
       expires_at =
         CASE WHEN expires_at <= ?5 OR run_id = ?6 THEN excluded.expires_at ELSE max(expires_at, excluded.expires_at) END
     RETURNING run_id`,
    claim.task,
    claim.key,
    claim.runId,
    expiresAt,
    q.now,
    claim.replaces ?? "",
  )[0] as { run_id: string };
  due(q, expiresAt);
  // The trigger's idempotency key now stands for the run that the trigger became part of.
  const from = claim.replaces ?? claim.runId;
  if (runId !== from && claim.idempotencyKey !== undefined)
    pointKey(q, { task: claim.task, key: claim.idempotencyKey, from, to: runId });
  return runId;
}

/**
 * Moves the start of a run that is still DELAYED. Returns `over` when it is not, or has waited as long as it may: the trigger
 * then needs a run of its own.
 */
export function pushDebounced(q: QueueContext, runId: string, push: DebouncePush): DebounceVerdict {
  const run = findRun(q, runId);
  if (!run) return "missing";
  if (run.status !== RunStatus.DELAYED) return "over";
  const until = Math.max(run.due_at ?? 0, push.until);
  if (push.maxDelayMs !== undefined && until > run.created_at + push.maxDelayMs) return "over";
  moveStart(q, run, until);
  if (push.latest) take(q, run, push.latest);
  if (push.waiter) addWaiter(q, run, push.waiter);
  if (push.keptUntil !== undefined) keepUntil(q, runId, push.keptUntil);
  return "pushed";
}

/**
 * Gives the run the options of the latest trigger. Options that the trigger does not set keep their values.
 */
function take(q: QueueContext, run: RunTableRow, latest: NonNullable<DebouncePush["latest"]>): void {
  const { payload, payloadType, metadata, tags, maxAttempts, maxDuration, machine } = latest;
  const spec = specOf(run);
  q.sql.exec(
    "UPDATE runs SET tags = ?, spec = ? WHERE seq = ?",
    tags.length > 0 ? JSON.stringify(tags) : run.tags,
    JSON.stringify({
      ...spec,
      machine,
      maxAttempts: maxAttempts ?? spec.maxAttempts,
      maxDuration: maxDuration ?? spec.maxDuration,
    }),
    run.seq,
  );
  if (payload === undefined) q.sql.exec("DELETE FROM payloads WHERE seq = ?", run.seq);
  else {
    q.sql.exec(
      "INSERT OR REPLACE INTO payloads (seq, payload, payload_type) VALUES (?, ?, ?)",
      run.seq,
      payload,
      payloadType,
    );
  }
  if (metadata !== undefined)
    q.sql.exec("INSERT OR REPLACE INTO metadata (seq, metadata) VALUES (?, ?)", run.seq, metadata);
}
