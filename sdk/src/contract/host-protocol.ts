/**
 * The protocol between a container host and the Worker. Both transports (HTTP long poll, `acme dev`'s WebSocket) carry
 * these messages. Unknown fields are ignored, so either side may be newer; `protocol` changes only when it breaks.
 *
 * HTTP: `Authorization: Bearer HOST_TOKEN`;
 *   POST /engine/v1/worker-actions/dequeue          DequeueRequest → DequeueResponse (held up to waitMs)
 *   POST /engine/v1/worker-actions/report           ReportRequest → ReportResponse
 *   GET  /engine/v1/worker-actions/deployments/:id  → HostDeployment
 *   GET  /engine/v1/worker-actions/bundles/:hash    → the bundle's bytes (a single ES module)
 */
import { z } from "zod";
import { cutString } from "./cut-string.ts";
import { CheckpointRef, CompletedOperation, JournalEntry, RunResume } from "./journal.ts";
import { LIMITS } from "./limits.ts";
import { MACHINE_PRESETS } from "./machines.ts";
import { RetryOptions, WorkerManifest } from "./manifest.ts";
import { TaskRunError } from "./run-errors.ts";
import { cutMiddle, fitsBytes } from "./text.ts";

export const HOST_PROTOCOL = 1;

const Millis = z.number().int().min(0);
const Id = z.string().max(LIMITS.idBytes);
const DataType = z.string().max(LIMITS.typeBytes);
const Reason = cutString(LIMITS.reasonBytes);

export const DequeueRequest = z.object({
  protocol: z.literal(HOST_PROTOCOL),
  /** Stable name of the host, kept across its restarts. */
  hostId: z.string().min(1).max(128),
  /** New at every start of the host process: a new session ends the leases of the host's earlier ones. */
  sessionId: z.string().min(1).max(128),
  /** Room for this many runs; 0 only listens for notices. */
  max: z.number().int().min(0).max(LIMITS.dequeueBatch),
  waitMs: Millis.max(60_000),
});
export type DequeueRequest = z.infer<typeof DequeueRequest>;

/** An attempt handed to a host. `token` fences it: every report about it carries it. */
export const DequeuedRun = z.object({
  runId: z.string(),
  taskId: z.string(),
  token: z.number().int(),
  attempt: z.number().int().min(1),
  /** Milliseconds the host has to report the start. */
  leaseMs: Millis,
  queue: z.string(),
  concurrencyKey: z.string().nullish(),
  /** Absent: no payload was given. */
  payload: z.string().nullish(),
  payloadType: z.string(),
  metadata: z.string().nullish(),
  tags: z.array(z.string()),
  environment: z.object({ key: z.string(), id: z.string(), slug: z.string(), type: z.string() }),
  project: z.object({ id: z.string(), ref: z.string(), name: z.string() }),
  organization: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  deployment: z.object({ id: z.string(), version: z.string(), contentHash: z.string() }),
  machine: z.enum(MACHINE_PRESETS),
  /** Seconds of run time. */
  maxDuration: z.number().nullish(),
  /** Attempts in all; null: the task's own retry settings decide. */
  maxAttempts: z.number().int().nullish(),
  retry: RetryOptions.nullish(),
  isTest: z.boolean(),
  priority: z.number(),
  createdAt: Millis,
  firstStartedAt: Millis.nullish(),
  idempotencyKey: z.string().nullish(),
  parentRunId: z.string().nullish(),
  rootRunId: z.string().nullish(),
  batchId: z.string().nullish(),
  /** The attempt goes on where it was: suspended, or cut off by the loss of its host. Absent: it starts. */
  resume: RunResume.nullish(),
});
export type DequeuedRun = z.infer<typeof DequeuedRun>;

/** Something a host must know between reports. At least once; a host that knows it already ignores it. */
export const HostNotice = z.discriminatedUnion("type", [
  z.object({ type: z.literal("cancel"), runId: z.string(), token: z.number().int() }),
  /** An operation that the run waits for is over. One that is lost is made up for by the answer to the run's suspension. */
  z.object({ type: z.literal("operation"), token: z.number().int(), ...CompletedOperation.shape }),
]);
export type HostNotice = z.infer<typeof HostNotice>;

export const DequeueResponse = z.object({
  runs: z.array(DequeuedRun),
  notices: z.array(HostNotice),
  /** Milliseconds since the epoch at the server, to compare clocks. */
  now: Millis,
  /**
   * The session was ended (silent for too long, or the host started anew): its runs went to others. The host stops all
   * it runs and begins a new session.
   */
  ended: z.boolean().optional(),
});
export type DequeueResponse = z.infer<typeof DequeueResponse>;

export const AttemptOutcome = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("success"),
    output: z.string().nullish(),
    outputType: DataType,
  }),
  z.object({
    type: z.literal("failure"),
    error: TaskRunError,
    /**
     * The runtime's decision: `{ delayMs }` retry after that, null do not retry (AbortTaskRunError and the like),
     * absent: nobody could decide (crash, out of memory): the task's retry settings do.
     */
    retry: z.object({ delayMs: Millis }).nullable().optional(),
  }),
  /** The attempt stopped because a cancel notice reached it. */
  z.object({ type: z.literal("canceled") }),
  /** The host gives the run back unstarted or drained: it is queued again, no attempt is counted. */
  z.object({ type: z.literal("released"), reason: Reason }),
]);
export type AttemptOutcome = z.infer<typeof AttemptOutcome>;

const Lease = { runId: Id, token: z.number().int() };

/** How a host goes on with an attempt, for the run's timeline. `reason`: why a process that was saved was not restored. */
export const ResumeMethod = z.object({
  by: z.enum(["checkpoint", "replay"]),
  reason: Reason.optional(),
});
export type ResumeMethod = z.infer<typeof ResumeMethod>;

export const AttemptStarted = z.object({ ...Lease, startedAt: Millis, resumed: ResumeMethod.optional() });
export type AttemptStarted = z.infer<typeof AttemptStarted>;

export const AttemptCompleted = z.object({
  ...Lease,
  startedAt: Millis.nullish(),
  completedAt: Millis,
  outcome: AttemptOutcome,
  /** Compute time of the attempt. */
  usageMs: z.number().min(0).optional(),
});
export type AttemptCompleted = z.infer<typeof AttemptCompleted>;

/** Properties whose JSON is over the limit are kept as its beginning and end. */
function cutProperties(properties: Record<string, unknown>): Record<string, unknown> {
  const json = JSON.stringify(properties);
  if (fitsBytes(json, LIMITS.logPropertiesBytes)) return properties;
  // As text inside JSON, each quote takes two bytes.
  return { truncated: cutMiddle(json, LIMITS.logPropertiesBytes / 2) };
}

export const LogEntry = z.object({
  /** Milliseconds since the epoch. */
  time: z.number(),
  level: z.enum(["trace", "debug", "log", "info", "warn", "error"]),
  message: cutString(LIMITS.logMessageBytes),
  properties: z.record(z.string(), z.unknown()).overwrite(cutProperties).optional(),
});
export type LogEntry = z.infer<typeof LogEntry>;

export const RunLogs = z.object({
  runId: Id,
  attempt: z.number().int(),
  entries: z.array(LogEntry).max(LIMITS.entriesPerReport),
});
export type RunLogs = z.infer<typeof RunLogs>;

/** Operations of a run: new ones, and results of those told before. Applied in order; what is known already stays. */
export const RunJournal = z.object({
  ...Lease,
  attempt: z.number().int(),
  entries: z.array(JournalEntry).max(LIMITS.entriesPerReport),
});
export type RunJournal = z.infer<typeof RunJournal>;

/**
 * The run only waits, and its process was stopped (or saved): its slots are to be released. `waits`: numbers of the
 * operations it waits for, all of which were told in a journal before or in the same report.
 */
export const RunSuspension = z.object({
  ...Lease,
  waits: z.array(z.number().int()).min(1),
  checkpoint: CheckpointRef.nullish(),
  /** Why the process could not be saved, where that was tried: the run will be replayed. */
  checkpointError: Reason.optional(),
  usageMs: z.number().min(0).optional(),
});
export type RunSuspension = z.infer<typeof RunSuspension>;

/** A saved process that the host keeps: of a run that may be over by now, or have gone on elsewhere. */
export const KeptCheckpoint = z.object({ runId: Id, id: Id });
export type KeptCheckpoint = z.infer<typeof KeptCheckpoint>;

/** Everything a host has to tell, in one call. Order within a run: started, journals, then completed or suspended. */
export const ReportRequest = z.object({
  protocol: z.literal(HOST_PROTOCOL),
  hostId: z.string().min(1).max(128),
  sessionId: z.string().min(1).max(128),
  started: z.array(AttemptStarted).default([]),
  completed: z.array(AttemptCompleted).default([]),
  /** Leases to renew: all that the host holds. */
  heartbeats: z.array(z.object(Lease)).default([]),
  journals: z.array(RunJournal).default([]),
  suspensions: z.array(RunSuspension).default([]),
  /** Asks which of these are still of use: the others are to be deleted. */
  checkpoints: z.array(KeptCheckpoint).max(LIMITS.dequeueBatch).default([]),
  logs: z.array(RunLogs).default([]),
  /** Set once by a host that stops for good: what it still holds is queued again at once. */
  goodbye: z.boolean().optional(),
});
export type ReportRequest = z.input<typeof ReportRequest>;

/**
 * `ok`: recorded (also when it was recorded before: reports are idempotent). `stale`: the lease is over, the host must
 * stop that attempt and forget it. `canceled`: the run was canceled; stop the attempt.
 * `retry`: the owner could not be reached; send it again.
 */
export const LeaseVerdict = z.enum(["ok", "stale", "canceled", "retry"]);
export type LeaseVerdict = z.infer<typeof LeaseVerdict>;

/**
 * `suspended`: done, the lease is over. `resume`: something the run waits for is over already; nothing was released, the
 * lease goes on, and the process is to be continued with `completed`.
 */
export const SuspensionVerdict = z.discriminatedUnion("verdict", [
  z.object({ verdict: z.enum(["suspended", "stale", "canceled", "retry"]) }),
  z.object({ verdict: z.literal("resume"), completed: z.array(CompletedOperation) }),
]);
export type SuspensionVerdict = z.infer<typeof SuspensionVerdict>;

/** `keep`: also where the owner could not be asked. */
export const CheckpointVerdict = z.enum(["keep", "drop"]);
export type CheckpointVerdict = z.infer<typeof CheckpointVerdict>;

export const ReportResponse = z.object({
  started: z.array(LeaseVerdict),
  completed: z.array(LeaseVerdict),
  heartbeats: z.array(LeaseVerdict),
  journals: z.array(LeaseVerdict).default([]),
  suspensions: z.array(SuspensionVerdict).default([]),
  checkpoints: z.array(CheckpointVerdict).default([]),
});
export type ReportResponse = z.infer<typeof ReportResponse>;

export const HostDeployment = z.object({
  id: z.string(),
  version: z.string(),
  contentHash: z.string(),
  bundleBytes: z.number().int(),
  manifest: WorkerManifest,
  /** Variables of the environment for its processes. */
  env: z.record(z.string(), z.string()),
  /** What tasks of this environment call the API with (`ACME_SECRET_KEY` in their process). */
  apiToken: z.string(),
});
export type HostDeployment = z.infer<typeof HostDeployment>;
