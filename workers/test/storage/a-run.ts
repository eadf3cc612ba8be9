import { queueKeyOf } from "@acme/durable-objects/routing";
import type { RunRow } from "@acme/durable-objects/rpc";
import { defaultQueueName, newRunId } from "@acme/sdk/contract";

let now = Date.parse("2026-11-24T12:00:00Z");

/** A run as its queue would report it: just triggered, a millisecond after the previous run. */
export function aRun(environmentKey: string, given: Partial<RunRow> = {}): RunRow {
  const createdAt = given.createdAt ?? now++;
  const task = given.task ?? "send-email";
  const queue = given.queue ?? defaultQueueName(task);
  return {
    id: newRunId(queueKeyOf(environmentKey, queue), createdAt),
    environmentKey,
    task,
    queue,
    status: "PENDING",
    version: 1,
    concurrencyKey: null,
    tags: [],
    isTest: false,
    priorityMs: 0,
    attempts: 0,
    maxAttempts: null,
    machine: "small-1x",
    deploymentId: null,
    deploymentVersion: null,
    idempotencyKey: null,
    idempotencyKeyExpiresAt: null,
    userIdempotencyKey: null,
    idempotencyKeyScope: null,
    ttlMs: null,
    delayUntil: null,
    createdAt,
    queuedAt: createdAt,
    startedAt: null,
    completedAt: null,
    expiredAt: null,
    updatedAt: createdAt,
    usageMs: 0,
    maxDuration: null,
    depth: 0,
    parentRunId: null,
    rootRunId: null,
    batchId: null,
    scheduleId: null,
    replayedFrom: null,
    bulkActions: [],
    errorMessage: null,
    errorName: null,
    errorFingerprint: null,
    ...given,
  };
}

/** A run with something in every field. */
export function aFullRun(environmentKey: string): RunRow {
  const run = aRun(environmentKey);
  const at = run.createdAt;
  return {
    ...run,
    status: "COMPLETED_WITH_ERRORS",
    version: 7,
    concurrencyKey: "customer-1",
    tags: ["user:1", 'quote " and , comma', "☕"],
    isTest: true,
    priorityMs: 5_000,
    attempts: 3,
    maxAttempts: 3,
    deploymentId: "deployment_1",
    deploymentVersion: "20261124.3",
    idempotencyKey: "a1b2",
    idempotencyKeyExpiresAt: at + 2_592_000_000,
    userIdempotencyKey: "order-1",
    idempotencyKeyScope: "global",
    ttlMs: 600_000,
    delayUntil: at + 1_000,
    queuedAt: at + 1_000,
    startedAt: at + 1_100,
    completedAt: at + 9_000,
    expiredAt: at + 9_001,
    updatedAt: at + 9_002,
    usageMs: 12.5,
    maxDuration: 300,
    depth: 2,
    parentRunId: aRun(environmentKey).id,
    rootRunId: aRun(environmentKey).id,
    batchId: "batch_1",
    scheduleId: "sched_1",
    replayedFrom: aRun(environmentKey).id,
    bulkActions: ["bulk_1", "bulk_2"],
    errorMessage: 'Error: it\'s "broken" \\ badly',
    errorName: "Error",
    errorFingerprint: "0123456789abcdef",
  };
}
