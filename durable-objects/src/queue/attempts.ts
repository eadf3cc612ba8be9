import {
  type AttemptCompleted,
  type AttemptOutcome,
  type AttemptStarted,
  internalError,
  type LeaseVerdict,
  type MachinePreset,
  RunStatus,
  serializeError,
  type TaskRunError,
} from "@acme/sdk/contract";
import { addEvent, due, type QueueContext, type RunTableRow, specOf } from "./context.ts";
import { isResumable } from "./journal.ts";
import { checkLease, type Lease } from "./lease.ts";
import { saveOutput } from "./outputs.ts";
import { decideFailure, finalStatusOf } from "./retry.ts";
import type { AttemptRecord } from "./rpc.ts";
import { type Changes, releaseSlot, succeedRun, transition } from "./transition.ts";

export function attemptStarted(q: QueueContext, report: AttemptStarted): LeaseVerdict {
  const lease = checkLease(q, report);
  if (lease.verdict !== "held") return lease.verdict;
  if (lease.run.status !== RunStatus.DEQUEUED) return "ok";
  if (isResumable(lease.run)) recordResumed(q, lease.run, report);
  start(q, lease.run, report.startedAt);
  return "ok";
}

function recordResumed(q: QueueContext, run: RunTableRow, report: AttemptStarted): void {
  const { resumed: method } = report;
  const because = method?.reason ? `: ${method.reason}` : "";
  const message =
    method?.by === "checkpoint"
      ? "Resumed: its process was restored from its checkpoint"
      : `Resumed: replayed from its journal${because}`;
  const data = { attempt: run.journal_attempt, hostId: run.host_id, by: method?.by ?? "replay" };
  const at = Math.min(report.startedAt, q.now);
  addEvent(q, run.seq, "resumed", message, { ...data, reason: method?.reason }, at);
}

/** Returns what the start of an attempt sets. An attempt that is resumed keeps the time of its first start. */
function startOf(
  q: QueueContext,
  run: RunTableRow,
  startedAt: number,
): Required<Pick<Changes, "attempt" | "started_at" | "attempt_started_at">> {
  // A host's clock may be off: an attempt never starts before the run was created, nor in the future.
  const at = Math.max(Math.min(startedAt, q.now), run.created_at);
  return {
    attempt: run.attempt + 1,
    started_at: run.started_at ?? at,
    attempt_started_at: isResumable(run) ? (run.attempt_started_at ?? at) : at,
  };
}

function start(q: QueueContext, run: RunTableRow, startedAt: number): void {
  transition(q, run, RunStatus.EXECUTING, {
    ...startOf(q, run, startedAt),
    usage_before_ms: isResumable(run) ? run.usage_before_ms : run.usage_ms,
    // Its journal may grow from now on, and the checkpoint would not know.
    checkpoint: null,
    due_at: q.now + q.timeouts.executingLeaseMs,
  });
}

export function heartbeat(q: QueueContext, lease: Lease): LeaseVerdict {
  const held = checkLease(q, lease);
  if (held.verdict !== "held") return held.verdict;
  const ms =
    held.run.status === RunStatus.DEQUEUED ? q.timeouts.dequeuedLeaseMs : q.timeouts.executingLeaseMs;
  // The query side does not show leases, so the row keeps its version.
  q.sql.exec("UPDATE runs SET due_at = ? WHERE seq = ?", due(q, q.now + ms), held.run.seq);
  return "ok";
}

export function attemptCompleted(q: QueueContext, report: AttemptCompleted): LeaseVerdict {
  const { outcome } = report;
  if (outcome.type === "success") {
    const output = { data: outcome.output ?? null, type: outcome.outputType };
    if (succeedRun(q, report, output)) return "ok";
  }
  const lease = checkLease(q, report);
  if (lease.verdict === "ok" || lease.verdict === "stale") return lease.verdict;
  if (lease.verdict === "canceled") {
    recordAttempt(q, lease.run, "CANCELED", report.completedAt, null);
    releaseSlot(q, lease.run, {
      done_token: lease.run.token,
      usage_ms: lease.run.usage_ms + (report.usageMs ?? 0),
    });
    return "ok";
  }
  // `succeedRun` takes every success of a held lease.
  if (outcome.type === "success") return "stale";
  if (outcome.type === "released") {
    giveBack(q, lease.run, outcome.reason);
    return "ok";
  }
  // A short attempt's start and end come in one report, or the report of its start has not arrived.
  const run =
    lease.run.status === RunStatus.EXECUTING
      ? lease.run
      : { ...lease.run, ...startOf(q, lease.run, report.startedAt ?? report.completedAt) };
  finishAttempt(q, run, report, outcome);
  return "ok";
}

function finishAttempt(
  q: QueueContext,
  run: RunTableRow,
  report: AttemptCompleted,
  outcome: Extract<AttemptOutcome, { type: "canceled" | "failure" }>,
): void {
  const done = {
    attempt: run.attempt,
    started_at: run.started_at,
    attempt_started_at: run.attempt_started_at,
    done_token: run.token,
    // The next attempt starts from the beginning.
    checkpoint: null,
    usage_ms: run.usage_ms + (report.usageMs ?? 0),
  };
  switch (outcome.type) {
    case "canceled":
      recordAttempt(q, run, "CANCELED", report.completedAt, null);
      transition(q, run, RunStatus.CANCELED, done);
      return;
    case "failure":
      failAttempt(q, run, report.completedAt, outcome, done);
  }
}

function failAttempt(
  q: QueueContext,
  run: RunTableRow,
  completedAt: number,
  outcome: Extract<AttemptOutcome, { type: "failure" }>,
  done: Pick<
    RunTableRow,
    "done_token" | "usage_ms" | "attempt" | "started_at" | "attempt_started_at" | "checkpoint"
  >,
): void {
  const spec = specOf(run);
  recordAttempt(q, run, "FAILED", completedAt, outcome.error);
  const { machine, maxAttempts = null, retry = null } = spec;
  const decision = decideFailure(outcome, { attempt: run.attempt, maxAttempts, retry, machine }, q.random);
  const errorMessage = firstLine(outcome.error);
  if ("machine" in decision) {
    moveToMachine(q, run, decision.machine);
    transition(q, run, RunStatus.PENDING, { ...done, error_message: errorMessage });
  } else if ("status" in decision) {
    saveOutput(q, run.seq, null, null, outcome.error);
    transition(q, run, decision.status, { ...done, error_message: errorMessage });
  } else if (decision.retryInMs === 0) {
    transition(q, run, RunStatus.PENDING, { ...done, error_message: errorMessage });
  } else {
    transition(q, run, RunStatus.RETRYING, {
      ...done,
      error_message: errorMessage,
      due_at: q.now + decision.retryInMs,
    });
  }
}

/** Gives the run's next attempts the machine that its task names for runs that ran out of memory. */
function moveToMachine(q: QueueContext, run: RunTableRow, machine: MachinePreset): void {
  const spec = specOf(run);
  q.sql.exec("UPDATE runs SET spec = ? WHERE seq = ?", JSON.stringify({ ...spec, machine }), run.seq);
  const message = `Attempt ${run.attempt} ran out of memory on ${spec.machine}: the next one gets ${machine}`;
  addEvent(q, run.seq, "machine-changed", message, { from: spec.machine, to: machine });
}

/** Queues a run that its host returns unfinished, at its old place. No attempt is counted. */
export function giveBack(q: QueueContext, run: RunTableRow, reason: string): void {
  addEvent(q, run.seq, "released", `Host ${run.host_id} returned the run: ${reason}`);
  requeue(q, run);
}

/** Handles a lease that expired, or whose host is lost: the same attempt is queued for another host. */
export function loseLease(q: QueueContext, run: RunTableRow, reason: string): void {
  if (run.status === RunStatus.CANCELED) {
    releaseSlot(q, run);
    return;
  }
  const losses = run.losses + 1;
  if (run.status === RunStatus.EXECUTING) recordAttempt(q, run, "LOST", q.now, null);
  addEvent(q, run.seq, "lost", `Lost host ${run.host_id}: ${reason}`, { losses });
  if (run.status === RunStatus.EXECUTING && q.ref.environment.type === "DEVELOPMENT") {
    const error = internalError(
      "TASK_RUN_STALLED_EXECUTING",
      `The process of this development run was lost: ${reason}. Runs in development are not retried then; trigger it again.`,
    );
    fail(q, run, error, { losses });
    return;
  }
  if (losses <= q.timeouts.maxHostLosses) {
    requeue(q, run, losses);
    return;
  }
  const error = internalError(
    "TASK_RUN_DEQUEUED_MAX_RETRIES",
    `The run lost its host ${losses} times, more often than the limit of ${q.timeouts.maxHostLosses}. Look at the hosts' logs: does the run bring them down?`,
  );
  fail(q, run, error, { losses });
}

/** Ends a run with an error of the platform, whatever its attempts and retry settings are. */
function fail(q: QueueContext, run: RunTableRow, error: TaskRunError, changes: Changes): void {
  saveOutput(q, run.seq, null, null, error);
  transition(q, run, finalStatusOf(error), { ...changes, error_message: firstLine(error) });
}

/**
 * Ends the run of a report that could not be stored: otherwise the host would send the report again forever.
 */
export function failReport(q: QueueContext, report: Lease, reason: string): void {
  const lease = checkLease(q, report);
  if (lease.verdict === "canceled") {
    releaseSlot(q, lease.run, { done_token: lease.run.token });
    return;
  }
  if (lease.verdict !== "held") return;
  const { run } = lease;
  const error = internalError(
    "TASK_REPORT_NOT_STORED",
    `What host ${run.host_id} reported about the run could not be stored: ${reason}`,
  );
  if (run.status === RunStatus.EXECUTING) recordAttempt(q, run, "FAILED", q.now, error);
  fail(q, run, error, { done_token: run.token });
}

function requeue(q: QueueContext, run: RunTableRow, losses = run.losses): void {
  transition(q, run, RunStatus.PENDING, {
    losses,
    attempt: run.status === RunStatus.EXECUTING ? run.attempt - 1 : run.attempt,
    host_id: null,
    session_id: null,
    attempt_started_at: null,
  });
}

/** Stores an attempt that did not succeed. The run's own columns describe a successful one. */
function recordAttempt(
  q: QueueContext,
  run: RunTableRow,
  status: AttemptRecord["status"],
  completedAt: number,
  error: TaskRunError | null,
): void {
  q.sql.exec(
    `INSERT INTO attempts (seq, ordinal, number, status, started_at, completed_at, host_id, error)
     VALUES (?1, (SELECT coalesce(max(ordinal), 0) + 1 FROM attempts WHERE seq = ?1), ?2, ?3, ?4, ?5, ?6, ?7)`,
    run.seq,
    run.attempt,
    status,
    run.attempt_started_at,
    Math.min(completedAt, q.now),
    run.host_id,
    error ? JSON.stringify(error) : null,
  );
}

const firstLine = (error: TaskRunError): string =>
  (serializeError(error).message.split("\n", 1)[0] as string).slice(0, 500);

/**
 * Handles the loss of a host session for the runs that are leased to it, at most `limit`. Returns their
 * number.
 */
export function loseSession(q: QueueContext, sessionId: string, reason: string, limit: number): number {
  const rows = q.sql.exec<RunTableRow>(
    "SELECT * FROM runs WHERE slot = 1 AND session_id = ? LIMIT ? + 0",
    sessionId,
    limit,
  );
  for (const run of rows) loseLease(q, run, reason);
  return rows.length;
}

/** Queues runs again that were leased but could not be delivered. */
export function returnRuns(q: QueueContext, leases: Lease[]): void {
  for (const lease of leases) {
    const held = checkLease(q, lease);
    if (held.verdict === "held" && held.run.status === RunStatus.DEQUEUED) requeue(q, held.run);
  }
}
