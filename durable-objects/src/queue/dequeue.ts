import type { CheckpointRef, DequeuedRun, RunResume } from "@acme/sdk/contract";
import type { DeploymentRef, DequeueGrant, LeasedRun } from "../rpc.ts";
import { due, type QueueContext, type RunTableRow, specOf } from "./context.ts";
import { findDeployment, saveDeployment } from "./deployments.ts";
import { endDueWaits, isResumable, readJournal } from "./journal.ts";

/** Runs that were leased, and how many of them count against rate limits. */
export interface Leased {
  runs: LeasedRun[];
  started: number;
}

/** Leases up to `grant.max` runs to a host: fair over concurrency keys, in order within one. */
export function dequeueRuns(q: QueueContext, grant: DequeueGrant): Leased {
  const leased: Leased = { runs: [], started: 0 };
  if (q.settings.paused) return leased;
  for (const [key, count] of q.counters.take(grant.max, grant.shared?.keyless)) {
    const { runs, started } = leaseOfKey(q, grant, key, count);
    leased.runs.push(...runs);
    leased.started += started;
  }
  if (leased.runs.length > 0) saveDeployment(q, grant.deployment);
  return leased;
}

function leaseOfKey(q: QueueContext, grant: DequeueGrant, key: string, count: number): Leased {
  const leaseUntil = due(q, q.now + q.timeouts.dequeuedLeaseMs);
  // A run keeps the deployment of its first dequeue for all of its attempts.
  const rows = q.sql.exec<RunTableRow>(
    `UPDATE runs SET status = 'DEQUEUED', slot = 1, token = token + 1, due_at = ?1, ttl_at = NULL, version = ?2,
       updated_at = ?3, host_id = ?4, session_id = ?5, deployment_id = coalesce(deployment_id, ?6)
     WHERE seq IN (
       SELECT seq FROM runs WHERE status = 'PENDING' AND concurrency_key = ?7 ORDER BY order_at, seq LIMIT ?8)
     RETURNING *`,
    leaseUntil,
    q.version,
    q.now,
    grant.hostId,
    grant.sessionId,
    grant.deployment.id,
    key,
    count,
  );
  q.counters.add(key, { pending: -rows.length, running: rows.length });
  if (rows.length === 0) return { runs: [], started: 0 };
  // What goes on after a wait waited for the rate limits like all else, and doesn't count against them again.
  const started = rows.filter((row) => !isResumable(row)).length;
  q.counters.started(key, started);
  q.effects.changed = true;
  rows.sort((a, b) => a.order_at - b.order_at || a.seq - b.seq);
  const seqs = JSON.stringify(rows.map((row) => row.seq));
  const payloads = textsOf(q, "SELECT seq, payload AS text, payload_type AS type FROM payloads", seqs);
  const metadata = textsOf(q, "SELECT seq, metadata AS text, '' AS type FROM metadata", seqs);
  const runs = rows.map((row) => {
    const locked = row.deployment_id as string;
    const deployment =
      locked === grant.deployment.id ? grant.deployment : (findDeployment(q, locked) ?? grant.deployment);
    const run = toDequeuedRun(q, row, deployment, payloads.get(row.seq), metadata.get(row.seq)?.text);
    if (isResumable(row)) run.resume = resumeOf(q, row);
    return { runId: row.id, token: row.token, json: JSON.stringify(run) };
  });
  return { runs, started };
}

/** A checkpoint is handed out once: what happens after this lease is not in it. */
function resumeOf(q: QueueContext, row: RunTableRow): RunResume {
  endDueWaits(q, row);
  if (row.checkpoint) q.sql.exec("UPDATE runs SET checkpoint = NULL WHERE seq = ?", row.seq);
  return {
    journal: readJournal(q, row),
    usedMs: row.usage_ms - row.usage_before_ms,
    checkpoint: row.checkpoint ? (JSON.parse(row.checkpoint) as CheckpointRef) : null,
  };
}

interface Text {
  text: string;
  type: string;
}

function textsOf(q: QueueContext, select: string, seqs: string): Map<number, Text> {
  const rows = q.sql.exec<{ seq: number; text: string; type: string }>(
    `${select} WHERE seq IN (SELECT value FROM json_each(?))`,
    seqs,
  );
  return new Map(rows.map((row) => [row.seq, row]));
}

function toDequeuedRun(
  q: QueueContext,
  row: RunTableRow,
  deployment: DeploymentRef,
  payload: Text | undefined,
  metadata: string | undefined,
): DequeuedRun {
  const spec = specOf(row);
  const { project, organization, key, id, slug, type } = q.ref.environment;
  return {
    runId: row.id,
    taskId: row.task,
    token: row.token,
    attempt: row.attempt + 1,
    leaseMs: q.timeouts.dequeuedLeaseMs,
    queue: q.ref.queue,
    concurrencyKey: row.concurrency_key || null,
    payload: payload?.text ?? null,
    payloadType: payload?.type ?? "application/json",
    metadata: metadata ?? null,
    tags: JSON.parse(row.tags) as string[],
    environment: { key, id, slug, type },
    project,
    organization,
    deployment,
    machine: spec.machine,
    maxDuration: spec.maxDuration ?? null,
    maxAttempts: spec.maxAttempts ?? null,
    retry: spec.retry ?? null,
    isTest: spec.isTest,
    priority: spec.priorityMs / 1000,
    createdAt: row.created_at,
    firstStartedAt: row.started_at,
    idempotencyKey: spec.idempotency?.userKey ?? spec.idempotency?.key ?? null,
    parentRunId: spec.parentRunId ?? null,
    rootRunId: spec.rootRunId ?? null,
    batchId: spec.batchId ?? null,
  };
}
