import type { CheckpointRef, DequeuedRun, RunResume } from "@acme/sdk/contract";
import type { SqlRow } from "../lib/sql.ts";
import type { DeploymentRef } from "../routing/refs.ts";
import { type QueueContext, type RunTableRow, specOf } from "./context.ts";
import { findDeployment, saveDeployment } from "./deployments.ts";
import { endDueWaits, isResumable, readJournal } from "./journal.ts";
import type { DequeueGrant, LeasedRun } from "./rpc.ts";
import { leaseRuns } from "./transition.ts";

/** Runs that were leased, and how many of them count against rate limits. */
export interface Leased {
  runs: LeasedRun[];
  started: number;
}

/** Leases up to `grant.max` runs to a host: fair over concurrency keys, in order within one. */
export function dequeueRuns(q: QueueContext, grant: DequeueGrant): Leased {
  const leased: Leased = { runs: [], started: 0 };
  if (q.settings.paused) return leased;
  const { shared, limits } = grant;
  const turns = q.counters.take(grant.max, { ...shared, limits });
  if (turns.length === 0) return leased;
  const { hostId, sessionId, deployment } = grant;
  const rows = Map.groupBy(
    leaseRuns(q, { hostId, sessionId, deploymentId: deployment.id }, turns),
    (row) => row.concurrency_key,
  );
  for (const [key, own] of rows) {
    // A run that resumes after a wait has waited for the rate limits when it started: it doesn't count against them again.
    const started = own.filter((row) => !isResumable(row)).length;
    if (started > 0) q.counters.started(key, started);
    leased.started += started;
  }
  const keys = new Set(turns.map(({ key }) => key));
  leased.runs.push(
    ...handedOut(
      q,
      grant,
      [...keys].flatMap((key) => rows.get(key) ?? []),
    ),
  );
  if (leased.runs.length > 0) saveDeployment(q, grant.deployment);
  return leased;
}

/** Describes leased runs for their host. */
function handedOut(q: QueueContext, grant: DequeueGrant, rows: RunTableRow[]): LeasedRun[] {
  if (rows.length === 0) return [];
  const inputs = inputsOf(q, rows);
  return rows.map((row) => {
    const locked = row.deployment_id as string;
    const deployment =
      locked === grant.deployment.id ? grant.deployment : (findDeployment(q, locked) ?? grant.deployment);
    const run = toDequeuedRun(q, row, deployment, inputs.get(row.seq));
    if (isResumable(row)) run.resume = resumeOf(q, row);
    return { runId: row.id, token: row.token, json: JSON.stringify(run) };
  });
}

/** Describes where the run resumes. Its checkpoint is valid until the host reports the start; later events are not in it. */
function resumeOf(q: QueueContext, row: RunTableRow): RunResume {
  endDueWaits(q, row);
  return {
    journal: readJournal(q, row),
    usedMs: row.usage_ms - row.usage_before_ms,
    checkpoint: row.checkpoint ? (JSON.parse(row.checkpoint) as CheckpointRef) : null,
  };
}

interface Input extends SqlRow {
  seq: number;
  payload: string | null;
  type: string | null;
  metadata: string | null;
}

/** Payloads and metadata of runs, by `seq`. */
function inputsOf(q: QueueContext, rows: RunTableRow[]): Map<number, Input> {
  const found = q.sql.exec<Input>(
    `SELECT value AS seq, payload, payload_type AS type, metadata FROM json_each(?)
     LEFT JOIN payloads ON payloads.seq = value LEFT JOIN metadata ON metadata.seq = value`,
    JSON.stringify(rows.map((row) => row.seq)),
  );
  return new Map(found.map((row) => [row.seq, row]));
}

function toDequeuedRun(
  q: QueueContext,
  row: RunTableRow,
  deployment: DeploymentRef,
  input: Input | undefined,
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
    payload: input?.payload ?? null,
    payloadType: input?.type ?? "application/json",
    metadata: input?.metadata ?? null,
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
    traceparent: spec.traceparent ?? null,
  };
}
