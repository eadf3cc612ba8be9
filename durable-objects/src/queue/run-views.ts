import {
  isFinal,
  type JournalEntry,
  publicStatus,
  RunStatus,
  serializeError,
  type TaskRunError,
} from "@acme/sdk/contract";
import { limitNamesOf } from "../routing/limit-sets.ts";
import { identifyError } from "../shared/error-identity.ts";
import { findRun, type QueueContext, type RunTableRow, specOf } from "./context.ts";
import { findDeployment } from "./deployments.ts";
import { isResumable, readJournal } from "./journal.ts";
import type { AttemptRecord, RunEvent, RunRecord, RunRow } from "./rpc.ts";

/** Returns the query side's row of a run. */
export function toRunRow(q: QueueContext, row: RunTableRow): RunRow {
  const spec = specOf(row);
  return {
    id: row.id,
    environmentKey: q.ref.environment.key,
    task: row.task,
    queue: q.ref.queue,
    status: row.status,
    version: row.version,
    concurrencyKey: row.concurrency_key || null,
    tags: JSON.parse(row.tags) as string[],
    isTest: spec.isTest,
    priorityMs: spec.priorityMs,
    attempts: isResumable(row) ? row.journal_attempt : row.attempt,
    maxAttempts: spec.maxAttempts ?? null,
    machine: spec.machine,
    deploymentId: row.deployment_id,
    deploymentVersion: row.deployment_id ? (findDeployment(q, row.deployment_id)?.version ?? null) : null,
    idempotencyKey: spec.idempotency?.key ?? null,
    idempotencyKeyExpiresAt: spec.idempotency?.expiresAt ?? null,
    userIdempotencyKey: spec.idempotency?.userKey ?? null,
    idempotencyKeyScope: spec.idempotency?.scope ?? null,
    ttlMs: spec.ttlMs ?? null,
    delayUntil: row.delay_until,
    createdAt: row.created_at,
    queuedAt: row.queued_at,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    expiredAt: row.status === RunStatus.EXPIRED ? row.completed_at : null,
    updatedAt: row.updated_at,
    usageMs: row.usage_ms,
    maxDuration: spec.maxDuration ?? null,
    depth: spec.depth,
    parentRunId: spec.parentRunId ?? null,
    rootRunId: spec.rootRunId ?? null,
    batchId: spec.batchId ?? null,
    scheduleId: spec.scheduleId ?? null,
    replayedFrom: spec.replayedFrom ?? null,
    bulkActions: spec.bulkActions ?? [],
    errorMessage: isFinal(row.status) ? row.error_message : null,
    ...errorIdentityOf(q, row),
  };
}

/** Statuses of runs that ended with an error of their own, which `outputs` has. */
const FAILED: readonly RunStatus[] = [
  RunStatus.COMPLETED_WITH_ERRORS,
  RunStatus.CRASHED,
  RunStatus.SYSTEM_FAILURE,
  RunStatus.TIMED_OUT,
];

function errorIdentityOf(q: QueueContext, row: RunTableRow): Pick<RunRow, "errorName" | "errorFingerprint"> {
  if (!FAILED.includes(row.status)) return { errorName: null, errorFingerprint: null };
  const stored = q.sql.exec<{ error: string | null }>("SELECT error FROM outputs WHERE seq = ?", row.seq)[0];
  if (!stored?.error) return { errorName: null, errorFingerprint: null };
  const { name, fingerprint } = identifyError(JSON.parse(stored.error) as TaskRunError, row.task);
  return { errorName: name, errorFingerprint: fingerprint };
}

export function retrieveRun(q: QueueContext, runId: string): RunRecord | null {
  const row = findRun(q, runId);
  if (!row) return null;
  const payload = q.sql.exec<{ payload: string; payload_type: string }>(
    "SELECT payload, payload_type FROM payloads WHERE seq = ?",
    row.seq,
  )[0];
  const output = q.sql.exec<{ output: string | null; output_type: string | null; error: string | null }>(
    "SELECT output, output_type, error FROM outputs WHERE seq = ?",
    row.seq,
  )[0];
  const metadata = q.sql.exec<{ metadata: string }>(
    "SELECT metadata FROM metadata WHERE seq = ?",
    row.seq,
  )[0];
  return {
    ...toRunRow(q, row),
    waitDepth: specOf(row).waitDepth ?? 0,
    traceparent: specOf(row).traceparent ?? null,
    limits: limitNamesOf(row.limits),
    payload: payload?.payload ?? null,
    payloadType: payload?.payload_type ?? "application/json",
    output: output?.output ?? null,
    outputType: output?.output_type ?? null,
    metadata: metadata?.metadata ?? null,
    metadataType: "application/json",
    error: output?.error ? (JSON.parse(output.error) as TaskRunError) : null,
    attemptRecords: attemptsOf(q, row),
  };
}

interface AttemptTableRow {
  number: number;
  status: string;
  startedAt: number | null;
  completedAt: number | null;
  hostId: string | null;
  error: string | null;
  [column: string]: string | number | null;
}

/**
 * Returns all attempts, oldest first: stored ones that have ended, and the current or successful one from the
 * run's own columns.
 */
export function attemptsOf(q: QueueContext, row: RunTableRow): AttemptRecord[] {
  const attempts: AttemptRecord[] = q.sql
    .exec<AttemptTableRow>(
      `SELECT number, status, started_at AS startedAt, completed_at AS completedAt, host_id AS hostId, error
       FROM attempts WHERE seq = ? ORDER BY ordinal`,
      row.seq,
    )
    .map((attempt) => ({
      ...attempt,
      status: attempt.status as AttemptRecord["status"],
      error: attempt.error ? (JSON.parse(attempt.error) as TaskRunError) : null,
    }));
  const succeeded = row.status === RunStatus.COMPLETED_SUCCESSFULLY;
  const goesOn = isResumable(row) && row.attempt_started_at !== null && !isFinal(row.status);
  const executing = row.slot === 1 && row.attempt_started_at !== null && row.status !== RunStatus.DEQUEUED;
  if (succeeded || executing || goesOn) {
    attempts.push({
      number: goesOn ? row.journal_attempt : row.attempt,
      status: succeeded ? "COMPLETED" : "EXECUTING",
      startedAt: row.attempt_started_at,
      completedAt: succeeded ? row.completed_at : null,
      hostId: row.host_id,
      error: null,
    });
  }
  return attempts;
}

function operationEvents(entry: JournalEntry, attempt: number): RunEvent[] {
  const { number, kind, name, location, target, until, result } = entry;
  const data = { attempt, number, kind, name, location, target, until };
  const what = `${OPERATION_NAMES[kind]} ${name}`;
  const events: RunEvent[] = [
    { time: entry.startedAt, type: "operation.started", message: `Operation ${number}: ${what}`, data },
  ];
  if (result && entry.completedAt !== undefined) {
    const error = result.ok ? undefined : serializeError(result.error).message;
    events.push({
      time: entry.completedAt,
      type: result.ok ? "operation.completed" : "operation.failed",
      message: `Operation ${number}: ${what} ${result.ok ? "is over" : `failed: ${error}`}`,
      data: { ...data, durationMs: entry.completedAt - entry.startedAt },
    });
  }
  return events;
}

const OPERATION_NAMES: Record<JournalEntry["kind"], string> = {
  wait: "wait until",
  token: "wait for token",
  run: "trigger and wait for",
  batch: "batch and wait for",
  trigger: "trigger",
  "batch-trigger": "batch",
  step: "step",
};

/** Returns a run's timeline, oldest first. */
export function runEvents(q: QueueContext, runId: string): RunEvent[] | null {
  const row = findRun(q, runId);
  if (!row) return null;
  const events: RunEvent[] = [{ time: row.created_at, type: "created", message: "The run was triggered" }];
  if (row.queued_at !== null)
    events.push({ time: row.queued_at, type: "queued", message: `Queued in ${q.ref.queue}` });
  for (const attempt of attemptsOf(q, row)) {
    const data = { attempt: attempt.number, hostId: attempt.hostId };
    if (attempt.startedAt !== null) {
      events.push({
        time: attempt.startedAt,
        type: "attempt.started",
        message: `Attempt ${attempt.number} started`,
        data,
      });
    }
    if (attempt.completedAt !== null) {
      const reason = attempt.error ? `: ${serializeError(attempt.error).message}` : "";
      const message = `Attempt ${attempt.number} ${attempt.status.toLowerCase()}${reason}`;
      events.push({
        time: attempt.completedAt,
        type: `attempt.${attempt.status.toLowerCase()}`,
        message,
        data,
      });
    }
  }
  for (let attempt = 1; attempt <= row.journal_attempt; attempt++) {
    for (const entry of readJournal(q, row, attempt)) events.push(...operationEvents(entry, attempt));
  }
  const recorded = q.sql.exec<{ time: number; type: string; message: string; data: string | null }>(
    "SELECT time, type, message, data FROM events WHERE seq = ? ORDER BY ordinal",
    row.seq,
  );
  for (const event of recorded) {
    const data = event.data ? (JSON.parse(event.data) as Record<string, unknown>) : undefined;
    events.push({ time: event.time, type: event.type, message: event.message, data });
  }
  if (row.completed_at !== null) {
    events.push({
      time: row.completed_at,
      type: "finished",
      message: `The run is ${publicStatus(row.status)}`,
    });
  }
  return events.sort((a, b) => a.time - b.time);
}
