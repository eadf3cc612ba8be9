import {
  isFinal,
  isSuccess,
  type OperationResult,
  publicStatus,
  type TaskRunError,
} from "@acme/sdk/contract";
import type { QueueContext, RunTableRow } from "./context.ts";
import { addMessage } from "./messages.ts";
import type { RunFinished, Waiter } from "./rpc.ts";

/** Registers a waiter for the run's end. If the run has ended already, the waiter is notified at once. */
export function addWaiter(q: QueueContext, run: RunTableRow, waiter: Waiter): void {
  if (isFinal(run.status)) {
    addMessage(q, { type: "finished", waiter, finished: finishedOf(q, run) });
    return;
  }
  q.sql.exec(
    "INSERT INTO waiters (seq, waiter) VALUES (?, ?) ON CONFLICT DO NOTHING",
    run.seq,
    JSON.stringify(waiter),
  );
  q.sql.exec("UPDATE runs SET waited = 1 WHERE seq = ?", run.seq);
}

/** Notifies the waiters of a run that has ended, after its output or error was stored. */
export function notifyWaiters(q: QueueContext, run: RunTableRow): void {
  const waiters = q.sql.exec<{ waiter: string }>(
    "DELETE FROM waiters WHERE seq = ? RETURNING waiter",
    run.seq,
  );
  if (waiters.length === 0) return;
  const finished = finishedOf(q, run);
  for (const { waiter } of waiters)
    addMessage(q, { type: "finished", waiter: JSON.parse(waiter) as Waiter, finished });
}

type Ended = Pick<RunTableRow, "id" | "task" | "status" | "usage_ms" | "error_message">;
/** The stored outcome of a run. */
type Output = { output: string | null; output_type: string | null; error: string | null };

/**
 * Returns how a run ended; null if it has not ended, undefined if there is no such run. It takes only one
 * statement, because every waiting request calls it.
 */
export function endOf(q: QueueContext, runId: string): RunFinished | null | undefined {
  const row = q.sql.exec<Ended & Output>(
    `SELECT id, task, status, usage_ms, error_message, output, output_type, error
     FROM runs LEFT JOIN outputs USING (seq) WHERE id = ?`,
    runId,
  )[0];
  return row && (isFinal(row.status) ? finished(row, row) : null);
}

function finishedOf(q: QueueContext, run: RunTableRow): RunFinished {
  const output = q.sql.exec<Output>(
    "SELECT output, output_type, error FROM outputs WHERE seq = ?",
    run.seq,
  )[0];
  return finished(run, output);
}

const finished = (run: Ended, output: Output | undefined): RunFinished => ({
  runId: run.id,
  task: run.task,
  status: run.status,
  usageMs: run.usage_ms,
  result: resultOf(run, output),
});

function resultOf(run: Ended, row: Output | undefined): OperationResult {
  if (isSuccess(run.status))
    return { ok: true, output: row?.output ?? null, outputType: row?.output_type ?? undefined };
  if (row?.error) return { ok: false, error: JSON.parse(row.error) as TaskRunError };
  const message = run.error_message ?? `The run is ${publicStatus(run.status)}`;
  return {
    ok: false,
    error: { type: "INTERNAL_ERROR", code: `TASK_RUN_${publicStatus(run.status)}`, message },
  };
}
