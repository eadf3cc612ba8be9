import type { RunRecord } from "@acme/durable-objects/rpc";
import { RunStatus, type TaskRunError } from "@acme/sdk/contract";

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

/** Codes of INTERNAL_ERROR that Trigger.dev's client (4.8.3) takes: one that it doesn't know ends the subscription. */
const KNOWN_CODES = new Set([
  "COULD_NOT_FIND_EXECUTOR",
  "COULD_NOT_FIND_TASK",
  "COULD_NOT_IMPORT_TASK",
  "CONFIGURED_INCORRECTLY",
  "TASK_ALREADY_RUNNING",
  "TASK_EXECUTION_FAILED",
  "TASK_EXECUTION_ABORTED",
  "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE",
  "TASK_PROCESS_SIGKILL_TIMEOUT",
  "TASK_PROCESS_SIGSEGV",
  "TASK_PROCESS_SIGTERM",
  "TASK_PROCESS_OOM_KILLED",
  "TASK_PROCESS_MAYBE_OOM_KILLED",
  "TASK_RUN_CANCELLED",
  "TASK_INPUT_ERROR",
  "TASK_OUTPUT_ERROR",
  "TASK_MIDDLEWARE_ERROR",
  "HANDLE_ERROR_ERROR",
  "GRACEFUL_EXIT_TIMEOUT",
  "TASK_RUN_HEARTBEAT_TIMEOUT",
  "TASK_RUN_CRASHED",
  "TASK_RUN_UNCAUGHT_EXCEPTION",
  "MAX_DURATION_EXCEEDED",
  "DISK_SPACE_EXCEEDED",
  "POD_EVICTED",
  "POD_UNKNOWN_ERROR",
  "TASK_HAS_N0_EXECUTION_SNAPSHOT",
  "TASK_DEQUEUED_INVALID_STATE",
  "TASK_DEQUEUED_QUEUE_NOT_FOUND",
  "TASK_RUN_DEQUEUED_MAX_RETRIES",
  "TASK_RUN_STALLED_EXECUTING",
  "TASK_RUN_STALLED_EXECUTING_WITH_WAITPOINTS",
  "OUTDATED_SDK_VERSION",
  "TASK_DID_CONCURRENT_WAIT",
  "RECURSIVE_WAIT_DEADLOCK",
  "BATCH_ITEM_COULD_NOT_TRIGGER",
  "PAYLOAD_TOO_LARGE",
  "UNSPECIFIED_ERROR",
]);

const CODES: Record<string, string> = {
  TASK_PROCESS_CRASHED: "TASK_RUN_CRASHED",
  TASK_EXECUTOR_FAILED: "POD_UNKNOWN_ERROR",
  TASK_RUN_NON_DETERMINISTIC: "TASK_EXECUTION_FAILED",
};

/** An error as Trigger.dev's client takes it; its message is kept. */
export function errorColumn(error: TaskRunError | null): TaskRunError | null {
  if (error?.type !== "INTERNAL_ERROR" || KNOWN_CODES.has(error.code)) return error;
  return { ...error, code: CODES[error.code] ?? "UNSPECIFIED_ERROR" };
}

/** UTC without `Z`: the client appends it. */
const time = (at: number | null): string | null =>
  at === null ? null : new Date(at).toISOString().slice(0, -1);

/** Columns that a client can't do without: the run's identity, and what says that it has ended. */
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
  /** The payload never changes: a client that has the row has it. */
  payload: boolean;
  /** Clients before API version 2025-07-16 know no DEQUEUED. */
  knowsDequeued: boolean;
}

/** A run as a row of Trigger.dev's table of runs. */
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
