import type {
  JournalEntry,
  LeaseVerdict,
  OperationResult,
  RecordedValues,
  RunJournal,
} from "@acme/sdk/contract";
import { RunStatus } from "@acme/sdk/contract";
import type { SqlRow } from "../lib/sql.ts";
import { findRun, type QueueContext, type RunTableRow } from "./context.ts";
import { checkLease } from "./lease.ts";
import { addMessage } from "./messages.ts";

interface JournalRow extends SqlRow {
  seq: number;
  number: number;
  kind: JournalEntry["kind"];
  name: string;
  location: string | null;
  target: string | null;
  until_at: number | null;
  started_at: number;
  completed_at: number | null;
  result: string | null;
  recorded: string | null;
}

/** The number of the attempt that executes, or that the next dequeue resumes or starts. */
export const attemptOf = (run: RunTableRow): number =>
  run.status === RunStatus.EXECUTING ? run.attempt : run.attempt + 1;

/** Whether the attempt was interrupted or suspended, so that the next dequeue resumes it. */
export const isResumable = (run: RunTableRow): boolean =>
  run.journal_attempt > 0 && run.journal_attempt === attemptOf(run);

/** Records operations that a host reports for a run that it holds. Results that are recorded already don't change. */
export function appendJournal(q: QueueContext, report: RunJournal): LeaseVerdict {
  const lease = checkLease(q, report);
  if (lease.verdict !== "held") return lease.verdict;
  const { run } = lease;
  if (attemptOf(run) !== report.attempt) return "stale";
  openJournal(q, run);
  for (const entry of report.entries) {
    saveEntry(q, run, entry);
    // Subscribing twice changes nothing, so a repeated entry needs no check.
    if (entry.kind === "token" && entry.target && !entry.result) {
      const waiter = { runId: run.id, attempt: report.attempt, number: entry.number };
      addMessage(q, { type: "subscribe", tokenId: entry.target, waiter });
    }
  }
  return "ok";
}

/** Opens a journal for the run's attempt. */
export function openJournal(q: QueueContext, run: RunTableRow): void {
  const attempt = attemptOf(run);
  if (run.journal_attempt === attempt) return;
  q.sql.exec("UPDATE runs SET journal_attempt = ? WHERE seq = ?", attempt, run.seq);
  run.journal_attempt = attempt;
}

function saveEntry(q: QueueContext, run: RunTableRow, entry: JournalEntry): void {
  q.sql.exec(
    `INSERT INTO journal (seq, attempt, number, kind, name, location, target, until_at, started_at, completed_at, result, recorded)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
     ON CONFLICT (seq, attempt, number) DO UPDATE SET
       location = coalesce(location, excluded.location), target = coalesce(target, excluded.target),
       until_at = coalesce(until_at, excluded.until_at), recorded = coalesce(excluded.recorded, recorded),
       completed_at = coalesce(completed_at, excluded.completed_at), result = coalesce(result, excluded.result)`,
    run.seq,
    run.journal_attempt,
    entry.number,
    entry.kind,
    entry.name,
    entry.location ?? null,
    entry.target ?? null,
    entry.until ?? null,
    entry.startedAt,
    entry.result ? (entry.completedAt ?? q.now) : null,
    entry.result ? JSON.stringify(entry.result) : null,
    entry.values ? JSON.stringify(entry.values) : null,
  );
}

/** Records what an operation creates elsewhere. Returns the recorded target: that of an earlier claim, if there is one. */
export function claimTarget(
  q: QueueContext,
  run: RunTableRow,
  claim: Pick<JournalEntry, "number" | "kind" | "name"> & { target: string },
): string {
  openJournal(q, run);
  const row = q.sql.exec<{ target: string }>(
    `INSERT INTO journal (seq, attempt, number, kind, name, target, started_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (seq, attempt, number) DO UPDATE SET target = coalesce(target, excluded.target) RETURNING target`,
    run.seq,
    run.journal_attempt,
    claim.number,
    claim.kind,
    claim.name,
    claim.target,
    q.now,
  )[0] as { target: string };
  return row.target;
}

/** The entries of `attempt` in the order of their numbers; by default of the attempt whose journal is open. */
export function readJournal(
  q: QueueContext,
  run: RunTableRow,
  attempt = run.journal_attempt,
): JournalEntry[] {
  return q.sql
    .exec<JournalRow>("SELECT * FROM journal WHERE seq = ? AND attempt = ? ORDER BY number", run.seq, attempt)
    .map(toEntry);
}

/** Sets an operation's result. Returns false when it has one already, which is kept, or does not exist. */
export function setResult(
  q: QueueContext,
  run: RunTableRow,
  number: number,
  result: OperationResult,
): boolean {
  return (
    q.sql.exec(
      `UPDATE journal SET result = ?, completed_at = ?
       WHERE seq = ? AND attempt = ? AND number = ? AND result IS NULL RETURNING number`,
      JSON.stringify(result),
      q.now,
      run.seq,
      run.journal_attempt,
      number,
    ).length > 0
  );
}

/** Completes the waits that are due. Returns when the next one is due; null: no wait is left. */
export function endDueWaits(q: QueueContext, run: RunTableRow): number | null {
  q.sql.exec(
    `UPDATE journal SET result = '{"ok":true}', completed_at = ?1
     WHERE seq = ?2 AND attempt = ?3 AND kind = 'wait' AND result IS NULL AND until_at <= ?1`,
    q.now,
    run.seq,
    run.journal_attempt,
  );
  const row = q.sql.exec<{ at: number | null }>(
    "SELECT min(until_at) AS at FROM journal WHERE seq = ? AND attempt = ? AND kind = 'wait' AND result IS NULL",
    run.seq,
    run.journal_attempt,
  )[0];
  return row?.at ?? null;
}

/** Runs and batches that this run still waits for. */
export function openChildren(q: QueueContext, run: RunTableRow): { kind: "run" | "batch"; target: string }[] {
  if (run.journal_attempt === 0) return [];
  return q.sql.exec<{ kind: "run" | "batch"; target: string }>(
    `SELECT kind, target FROM journal
     WHERE seq = ? AND attempt = ? AND kind IN ('run', 'batch') AND result IS NULL AND target IS NOT NULL`,
    run.seq,
    run.journal_attempt,
  );
}

export const findJournaled = (q: QueueContext, runId: string, attempt: number): RunTableRow | undefined => {
  const run = findRun(q, runId);
  return run && run.journal_attempt === attempt && attemptOf(run) === attempt ? run : undefined;
};

const toEntry = (row: JournalRow): JournalEntry => ({
  number: row.number,
  kind: row.kind,
  name: row.name,
  location: row.location ?? undefined,
  target: row.target ?? undefined,
  until: row.until_at ?? undefined,
  startedAt: row.started_at,
  completedAt: row.completed_at ?? undefined,
  result: row.result ? (JSON.parse(row.result) as OperationResult) : undefined,
  values: row.recorded ? (JSON.parse(row.recorded) as RecordedValues) : undefined,
});
