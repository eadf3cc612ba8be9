import {
  type CheckpointRef,
  type CheckpointVerdict,
  type CompletedOperation,
  isFinal,
  type JournalEntry,
  type KeptCheckpoint,
  RunStatus,
  type RunSuspension,
  type SuspensionVerdict,
} from "@acme/sdk/contract";
import { addEvent, findRun, type QueueContext, type RunTableRow } from "./context.ts";
import { attemptOf, claimTarget, endDueWaits, findJournaled, readJournal, setResult } from "./journal.ts";
import { checkLease } from "./lease.ts";
import type { RunError } from "./rpc.ts";
import { releaseSlot, transition } from "./transition.ts";

/**
 * Suspends a run that only waits, which frees its slots, unless an operation that it waits for is complete
 * already.
 */
export function suspendRun(q: QueueContext, report: RunSuspension): SuspensionVerdict {
  const lease = checkLease(q, report);
  if (lease.verdict === "ok") return { verdict: "suspended" };
  if (lease.verdict === "stale") return { verdict: "stale" };
  const { run } = lease;
  if (lease.verdict === "canceled") {
    releaseSlot(q, run, { done_token: run.token });
    return { verdict: "canceled" };
  }
  const dueAt = endDueWaits(q, run);
  const waits = new Set(report.waits);
  const entries = readJournal(q, run).filter((entry) => waits.has(entry.number));
  const completed = entries.flatMap(({ number, result }) =>
    result ? [{ runId: run.id, number, result }] : [],
  );
  // The host must report an operation before the run waits for it: otherwise its wait could never end.
  if (completed.length > 0 || entries.length < waits.size) return { verdict: "resume", completed };
  addEvent(q, run.seq, "suspended", `Suspended: waits for ${entries.map(nameOf).join(", ")}`, {
    attempt: run.journal_attempt,
    hostId: run.host_id,
    checkpoint: report.checkpoint?.id,
    checkpointError: report.checkpointError,
  });
  // The session is kept: its host may report the suspension again, because the answer was lost.
  transition(q, run, RunStatus.WAITING_ON_WAITPOINT, {
    attempt: run.journal_attempt - 1,
    due_at: dueAt,
    done_token: run.token,
    checkpoint: report.checkpoint ? JSON.stringify(report.checkpoint) : null,
    usage_ms: run.usage_ms + (report.usageMs ?? 0),
  });
  return { verdict: "suspended" };
}

function nameOf(entry: JournalEntry): string {
  switch (entry.kind) {
    case "wait":
      return new Date(entry.until ?? 0).toISOString();
    case "token":
      return `token ${entry.target}`;
    case "run":
      return `run ${entry.target} of ${entry.name}`;
    case "batch":
      return `batch ${entry.target}`;
    default:
      return entry.name;
  }
}

/** Decides whether a host keeps a checkpoint: as long as the run may still be resumed from it. */
export function checkpointVerdict(q: QueueContext, kept: KeptCheckpoint): CheckpointVerdict {
  const run = findRun(q, kept.runId);
  if (!run || isFinal(run.status)) return "drop";
  // A host has been given the checkpoint, and may be restoring it right now.
  if (run.status === RunStatus.DEQUEUED) return "keep";
  const checkpoint = run.checkpoint ? (JSON.parse(run.checkpoint) as CheckpointRef) : null;
  return checkpoint?.id === kept.id ? "keep" : "drop";
}

/** Queues a suspended run at its old place, because an operation that it waits for is complete. */
export function wake(q: QueueContext, run: RunTableRow): void {
  transition(q, run, RunStatus.PENDING);
}

/** Queues a suspended run whose earliest wait is due. */
export function wakeDue(q: QueueContext, run: RunTableRow): void {
  endDueWaits(q, run);
  wake(q, run);
}

/** Sets an operation's result. The first result is kept. Returns `gone` when nobody waits for it any more. */
export function completeOperation(
  q: QueueContext,
  completed: CompletedOperation & { attempt: number },
): "ok" | "gone" {
  const run = findJournaled(q, completed.runId, completed.attempt);
  if (!run || isFinal(run.status)) return "gone";
  if (!setResult(q, run, completed.number, completed.result)) return "ok";
  if (run.status === RunStatus.WAITING_ON_WAITPOINT) wake(q, run);
  else if (run.slot === 1 && run.session_id) {
    const { runId, number, result } = completed;
    const notice = { type: "operation", runId, token: run.token, number, result } as const;
    q.effects.notices.push({ sessionId: run.session_id, notice });
  }
  return "ok";
}

export interface OperationClaim {
  runId: string;
  attempt: number;
  /**
   * The lease whose code makes the claim: after its end, nothing may be created for it. Absent: any lease.
   */
  lease?: number;
  number: number;
  kind: JournalEntry["kind"];
  name: string;
  target: string;
}

/** See `QueueRpc.claimOperation`. */
export function claimOperation(
  q: QueueContext,
  claim: OperationClaim,
): { target: string; claimed: boolean } | RunError | { error: "stale"; message: string } {
  const run = findRun(q, claim.runId);
  if (!run) return { error: "not_found", message: `Run ${claim.runId} was not found.` };
  const isOver = claim.lease !== undefined && (run.token !== claim.lease || run.slot === 0);
  if (isFinal(run.status) || attemptOf(run) !== claim.attempt || isOver) {
    const message = `Attempt ${claim.attempt} of run ${claim.runId} is over: nothing was created for it.`;
    return { error: "stale", message };
  }
  const target = claimTarget(q, run, claim);
  return { target, claimed: target === claim.target };
}
