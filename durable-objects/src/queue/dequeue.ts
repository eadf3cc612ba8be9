import type { CheckpointRef, DequeuedRun, RunResume } from "@acme/sdk/contract";
import type { DeploymentRef } from "../routing/refs.ts";
import { due, type QueueContext, type RunTableRow, specOf } from "./context.ts";
import { findDeployment, saveDeployment } from "./deployments.ts";
import { endDueWaits, isResumable, readJournal } from "./journal.ts";
import type { DequeueGrant, LeasedRun } from "./rpc.ts";

/** Runs that were leased, and how many of them count against rate limits. */
export interface Leased {
  runs: LeasedRun[];
  started: number;
}

/** Leases up to `grant.max` runs to a host: fair over concurrency keys, in order within one. */
export function dequeueRuns(q: QueueContext, grant: DequeueGrant): Leased {
  const leased: Leased = { runs: [], started: 0 };
  if (q.settings.paused) return leased;
  const turns = q.counters.take(grant.max, grant.shared?.unkeyed, grant.shared?.elsewhere);
  if (turns.size === 0) return leased;
  // One statement for all keys: with many of them each has few runs.
  const rows = Map.groupBy(lease(q, grant, turns), (row) => row.concurrency_key);
  for (const key of turns.keys()) {
    const own = rows.get(key) ?? [];
    q.counters.add(key, { pending: -own.length, running: own.length });
    // What goes on after a wait waited for the rate limits like all else, and doesn't count against them again.
    const started = own.filter((row) => !isResumable(row)).length;
    if (started > 0) q.counters.started(key, started);
    leased.started += started;
  }
  leased.runs.push(
    ...handedOut(
      q,
      grant,
      [...turns.keys()].flatMap((key) => rows.get(key) ?? []),
    ),
  );
  if (leased.runs.length > 0) saveDeployment(q, grant.deployment);
  return leased;
}

/** The first of a key. */
const NEXT = `SELECT seq FROM runs WHERE status = 'PENDING' AND concurrency_key = ?1 ORDER BY order_at, seq LIMIT ?2`;
/** A run keeps the deployment of its first dequeue for all of its attempts. */
const LEASE = `UPDATE runs SET status = 'DEQUEUED', slot = 1, token = token + 1, due_at = ?3, ttl_at = NULL, version = ?4,
   updated_at = ?5, host_id = ?6, session_id = ?7, deployment_id = coalesce(deployment_id, ?8)`;
const LEASE_OF_KEY = `${LEASE} WHERE seq IN (${NEXT}) RETURNING *`;
const LEASE_PICKED = `${LEASE} WHERE seq IN (SELECT value FROM json_each(?1) LIMIT ?2) RETURNING *`;

function lease(q: QueueContext, grant: DequeueGrant, turns: Map<string, number>): RunTableRow[] {
  const { hostId, sessionId, deployment } = grant;
  const dueAt = due(q, q.now + q.timeouts.dequeuedLeaseMs);
  const update = (statement: string, from: string, count: number): RunTableRow[] =>
    q.sql.exec<RunTableRow>(
      statement,
      from,
      count,
      dueAt,
      q.version,
      q.now,
      hostId,
      sessionId,
      deployment.id,
    );
  const keys = [...turns];
  const [first] = keys;
  let rows: RunTableRow[];
  if (first && keys.length === 1) rows = update(LEASE_OF_KEY, ...first);
  else {
    const picked = keys.flatMap(([key, count]) => q.sql.exec<{ seq: number }>(NEXT, key, count));
    rows = update(LEASE_PICKED, JSON.stringify(picked.map(({ seq }) => seq)), picked.length);
  }
  if (rows.length > 0) q.effects.changed = true;
  return rows.sort((a, b) => a.order_at - b.order_at || a.seq - b.seq);
}

/** What their host is told of each. */
function handedOut(q: QueueContext, grant: DequeueGrant, rows: RunTableRow[]): LeasedRun[] {
  if (rows.length === 0) return [];
  const seqs = JSON.stringify(rows.map((row) => row.seq));
  const payloads = textsOf(q, "SELECT seq, payload AS text, payload_type AS type FROM payloads", seqs);
  const metadata = textsOf(q, "SELECT seq, metadata AS text, '' AS type FROM metadata", seqs);
  return rows.map((row) => {
    const locked = row.deployment_id as string;
    const deployment =
      locked === grant.deployment.id ? grant.deployment : (findDeployment(q, locked) ?? grant.deployment);
    const run = toDequeuedRun(q, row, deployment, payloads.get(row.seq), metadata.get(row.seq)?.text);
    if (isResumable(row)) run.resume = resumeOf(q, row);
    return { runId: row.id, token: row.token, json: JSON.stringify(run) };
  });
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
