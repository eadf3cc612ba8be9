import { isFinal, RunStatus } from "@acme/sdk/contract";
import { addEvent, findRun, type QueueContext, type RunTableRow, specOf } from "./context.ts";
import { openChildren } from "./journal.ts";
import { addMessage } from "./messages.ts";
import type { RunError } from "./rpc.ts";
import { runNotFound } from "./run-not-found.ts";
import { transition } from "./transition.ts";

export interface CancelOptions {
  /** Also cancels the runs and batches that the run waits for. Default true. */
  children?: boolean;
  /** The bulk action that cancels the run. */
  bulkAction?: string;
}

/**
 * Cancels a run and, unless `children` is false, the runs and batches that it waits for. A run that executes is CANCELED at once and
 * keeps its slot until its host confirms that it has stopped.
 */
export function cancelRun(
  q: QueueContext,
  runId: string,
  reason: string,
  { children = true, bulkAction }: CancelOptions = {},
): { status: RunStatus; alreadyFinal: boolean } | RunError {
  const run = findRun(q, runId);
  if (!run) return runNotFound(runId);
  if (isFinal(run.status)) return { status: run.status, alreadyFinal: true };
  addEvent(q, run.seq, "canceled", reason);
  if (bulkAction !== undefined) addBulkAction(q, run, bulkAction);
  if (children) {
    // Nobody needs their results any more.
    const because = `The run that waited for it was canceled: ${runId}`;
    for (const { kind, target } of openChildren(q, run)) {
      if (kind === "run") addMessage(q, { type: "cancel", runId: target, reason: because });
      else addMessage(q, { type: "cancel-batch", batchId: target, reason: because });
    }
  }
  if (run.slot === 1) {
    transition(q, run, RunStatus.CANCELED, {
      slot: 1,
      due_at: q.now + q.timeouts.cancelLeaseMs,
      error_message: reason,
    });
    if (run.session_id) {
      q.effects.notices.push({
        sessionId: run.session_id,
        notice: { type: "cancel", runId: run.id, token: run.token },
      });
    }
  } else {
    transition(q, run, RunStatus.CANCELED, { error_message: reason });
  }
  return { status: RunStatus.CANCELED, alreadyFinal: false };
}

function addBulkAction(q: QueueContext, run: RunTableRow, bulkAction: string): void {
  const spec = specOf(run);
  const bulkActions = [...new Set([...(spec.bulkActions ?? []), bulkAction])];
  q.sql.exec("UPDATE runs SET spec = ? WHERE seq = ?", JSON.stringify({ ...spec, bulkActions }), run.seq);
}
