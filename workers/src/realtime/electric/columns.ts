import { streamsOf } from "@acme/durable-objects/routing";
import type { RunRecord } from "@acme/durable-objects/rpc";
import { RunStatus } from "@acme/sdk/contract";
import { errorColumn } from "./error-column.ts";

/** The names of Trigger.dev's own database, which its client maps to public ones. A name that it does not know is shown as QUEUED. */
const STATUS: Record<RunStatus, string> = {
  DELAYED: "DELAYED",
  PENDING_VERSION: "PENDING_VERSION",
  PENDING: "PENDING",
  DEQUEUED: "DEQUEUED",
  EXECUTING: "EXECUTING",
  WAITING_ON_WAITPOINT: "WAITING_TO_RESUME",
  RETRYING: "RETRYING_AFTER_FAILURE",
  COMPLETED_SUCCESSFULLY: "COMPLETED_SUCCESSFULLY",
  COMPLETED_WITH_ERRORS: "COMPLETED_WITH_ERRORS",
  CANCELED: "CANCELED",
  CRASHED: "CRASHED",
  SYSTEM_FAILURE: "SYSTEM_FAILURE",
  EXPIRED: "EXPIRED",
  TIMED_OUT: "TIMED_OUT",
};

/** UTC without `Z`: the client appends it. */
const time = (at: number | null): string | null =>
  at === null ? null : new Date(at).toISOString().slice(0, -1);

/** Columns that every client needs: the run's identity and its end. */
const REQUIRED = new Set([
  "id",
  "taskIdentifier",
  "friendlyId",
  "status",
  "createdAt",
  "updatedAt",
  "completedAt",
]);

export interface ColumnOptions {
  skip: readonly string[];
  /** The payload never changes, so a client that has the row has the payload. */
  payload: boolean;
  /** Clients before API version 2025-07-16 do not know DEQUEUED. */
  knowsDequeued: boolean;
}

/** Returns a run as a row of Trigger.dev's table of runs. */
export function columnsOf(run: RunRecord, options: ColumnOptions): Record<string, unknown> {
  const columns: Record<string, unknown> = {
    id: run.id,
    friendlyId: run.id,
    taskIdentifier: run.task,
    status: !options.knowsDequeued && run.status === RunStatus.DEQUEUED ? "EXECUTING" : STATUS[run.status],
    createdAt: time(run.createdAt),
    updatedAt: time(run.updatedAt),
    startedAt: time(run.startedAt),
    delayUntil: time(run.delayUntil),
    queuedAt: time(run.queuedAt),
    expiredAt: time(run.expiredAt),
    completedAt: time(run.completedAt),
    number: 0,
    isTest: run.isTest,
    usageDurationMs: run.usageMs,
    costInCents: 0,
    baseCostInCents: 0,
    ttl: run.ttlMs === null ? null : `${Math.round(run.ttlMs / 1000)}s`,
    runTags: run.tags,
    realtimeStreams: streamsOf(run),
    output: run.output,
    outputType: run.outputType ?? "application/json",
    metadata: run.metadata,
    metadataType: run.metadataType,
    error: errorColumn(run.error),
    ...(options.payload ? { payload: run.payload, payloadType: run.payloadType } : {}),
  };
  for (const name of options.skip) if (!REQUIRED.has(name)) delete columns[name];
  return columns;
}
