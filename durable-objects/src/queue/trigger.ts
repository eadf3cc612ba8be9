import { parseRunId, RunStatus } from "@acme/sdk/contract";
import { debounceClaimOf, pushOf } from "../routing/debounce-claim.ts";
import { limitSetOf } from "../routing/limit-sets.ts";
import { sizeShareOf } from "../routing/settings.ts";
import { due, findRun, type QueueContext, type RunSpec, type RunTableRow } from "./context.ts";
import { claimDebounce, pushDebounced } from "./debounce.ts";
import { saveDeployment } from "./deployments.ts";
import { claimKey } from "./idempotency.ts";
import { markUnknown } from "./parked-runs.ts";
import { keepUntil } from "./retention.ts";
import type { TriggerItem, TriggerResult } from "./rpc.ts";
import { addWaiter } from "./run-waiters.ts";

/** Keys of requests are stored beside those of tasks, under a name that no task can have. */
const REQUESTS = "";

/** Creates the run of an item, unless its id, its idempotency key or its request stands for a run already. */
export function triggerRun(q: QueueContext, item: TriggerItem): TriggerResult {
  if (item.idempotency?.claim) {
    const claim = {
      task: item.task,
      key: item.idempotency.key,
      runId: item.runId,
      expiresAt: item.idempotency.expiresAt,
    };
    const { runId: owner, expiresAt } = claimKey(q, claim);
    item = { ...item, idempotency: { ...item.idempotency, expiresAt } };
    if (owner !== item.runId) {
      // The claimed run may belong to another queue. If its creator died before creating it, the next trigger does.
      if (parseRunId(owner)?.queueKey !== q.ref.queueKey) return { runId: owner, cached: true };
      return { ...createRun(q, { ...item, runId: owner }), runId: owner };
    }
  }
  if (item.request) {
    const { runId: owner } = claimKey(q, { task: REQUESTS, runId: item.runId, ...item.request });
    // The caller got no answer to its earlier request: to the caller, this run is new.
    if (owner !== item.runId) return { ...createRun(q, { ...item, runId: owner }), cached: false };
  }
  return item.debounce?.claim ? triggerDebounced(q, item, item.debounce) : createRun(q, item);
}

/** Makes a trigger part of an earlier run that is still DELAYED, or gives it a run of its own. */
function triggerDebounced(
  q: QueueContext,
  item: TriggerItem,
  debounce: NonNullable<TriggerItem["debounce"]>,
): TriggerResult {
  const { runId } = item;
  // The trigger was sent before, and its answer was lost.
  if (findRun(q, runId)) return createRun(q, item);
  const claim = debounceClaimOf(item, debounce);
  const owner = claimDebounce(q, claim);
  if (owner === runId) return createRun(q, item);
  // The debounced run is in another queue: the caller asks that queue whether it still waits.
  if (parseRunId(owner)?.queueKey !== q.ref.queueKey) return { runId: owner, cached: true, mayBeOver: true };
  switch (pushDebounced(q, owner, pushOf(item))) {
    case "pushed":
      return { runId: owner, cached: true };
    case "missing":
      return createRun(q, { ...item, runId: owner });
    case "over":
      claimDebounce(q, { ...claim, replaces: owner });
      return createRun(q, item);
  }
}

function createRun(q: QueueContext, item: TriggerItem): TriggerResult {
  const sizeLimit = sizeShareOf(q.settings);
  if (q.counters.pending + q.counters.notYetQueued >= sizeLimit) {
    const exists = q.sql.exec("SELECT 1 AS found FROM runs WHERE id = ?", item.runId).length > 0;
    if (!exists) return { runId: item.runId, cached: false, error: "queue_full", sizeLimit };
    keepAsLongAsItsKey(q, item);
    return { runId: item.runId, cached: true };
  }

  const { status, dueAt } = startingPoint(q, item);
  const pending = status === RunStatus.PENDING;
  const ttlAt = status !== RunStatus.DELAYED && item.ttlMs ? q.now + item.ttlMs : null;
  const limits = limitSetOf(item.limits ?? []);
  if (item.lockedDeployment) saveDeployment(q, item.lockedDeployment);
  const inserted = q.sql.exec<{ seq: number }>(
    `INSERT INTO runs (id, task, status, concurrency_key, limits, order_at, due_at, ttl_at, deployment_id, version, created_at,
       queued_at, delay_until, updated_at, tags, spec, kept_until)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING RETURNING seq`,
    item.runId,
    item.task,
    status,
    item.concurrencyKey ?? "",
    limits,
    (item.delayUntil ?? q.now) - item.priorityMs,
    dueAt,
    ttlAt,
    item.lockedDeployment?.id ?? null,
    q.version,
    q.now,
    pending ? q.now : null,
    item.delayUntil ?? null,
    q.now,
    item.tags.length === 0 ? "[]" : JSON.stringify(item.tags),
    JSON.stringify(specFrom(item)),
    item.idempotency?.expiresAt ?? 0,
  );
  const seq = inserted[0]?.seq;
  if (item.waiter) addWaiter(q, findRun(q, item.runId) as RunTableRow, item.waiter);
  // The trigger was sent before and its answer was lost, or an idempotency key stands for this run.
  if (seq === undefined) {
    keepAsLongAsItsKey(q, item);
    return { runId: item.runId, cached: true };
  }
  if (item.payload !== undefined) {
    q.sql.exec(
      "INSERT INTO payloads (seq, payload, payload_type) VALUES (?, ?, ?)",
      seq,
      item.payload,
      item.payloadType,
    );
  }
  if (item.metadata !== undefined)
    q.sql.exec("INSERT INTO metadata (seq, metadata) VALUES (?, ?)", seq, item.metadata);
  q.counters.add(item.concurrencyKey ?? "", pending ? { pending: 1 } : { notYetQueued: 1 }, limits);
  if (!item.known) markUnknown(q, item.task);
  if (dueAt !== null) due(q, dueAt);
  if (ttlAt !== null) due(q, ttlAt);
  q.effects.changed = true;
  return { runId: item.runId, cached: false };
}

/** A key must not outlive its run: the next trigger with it would execute the run again. */
function keepAsLongAsItsKey(q: QueueContext, { runId, idempotency }: TriggerItem): void {
  if (idempotency) keepUntil(q, runId, idempotency.expiresAt);
}

function startingPoint(q: QueueContext, item: TriggerItem): { status: RunStatus; dueAt: number | null } {
  if (item.delayUntil !== undefined && item.delayUntil > q.now) {
    return { status: RunStatus.DELAYED, dueAt: item.delayUntil };
  }
  return { status: item.known ? RunStatus.PENDING : RunStatus.PENDING_VERSION, dueAt: null };
}

function specFrom(item: TriggerItem): RunSpec {
  const {
    machine,
    maxAttempts,
    retry,
    maxDuration,
    priorityMs,
    ttlMs,
    isTest,
    parentRunId,
    rootRunId,
    depth,
    waitDepth,
    traceparent,
  } = item;
  const { batchId, replayedFrom, bulkAction, scheduleId, idempotency } = item;
  return {
    machine,
    maxAttempts,
    retry,
    maxDuration,
    priorityMs,
    ttlMs,
    isTest,
    parentRunId,
    rootRunId,
    depth,
    waitDepth,
    batchId,
    traceparent,
    replayedFrom,
    bulkActions: bulkAction === undefined ? undefined : [bulkAction],
    scheduleId,
    idempotency: idempotency && {
      key: idempotency.key,
      expiresAt: idempotency.expiresAt,
      userKey: idempotency.userKey,
      scope: idempotency.scope,
    },
  };
}
