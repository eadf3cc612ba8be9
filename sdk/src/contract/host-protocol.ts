/**
 * The protocol between a container host and the Worker. Both transports (HTTP long poll, the WebSocket of
 * `acme dev`) carry these messages. Unknown fields are ignored, so either side may be newer. `protocol`
 * changes only with breaking changes.
 *
 * HTTP: `Authorization: Bearer HOST_TOKEN` registers a host, which then shows its own credential (see `host-credentials.ts`):
 *   POST /engine/v1/hosts                                  RegisterHostBody → RegisteredHost
 *   POST /engine/v1/worker-actions/dequeue                 DequeueRequest → DequeueResponse (held up to waitMs)
 *   POST /engine/v1/worker-actions/report                  ReportRequest → ReportResponse
 *   GET  /engine/v1/worker-actions/deployments/:id         → HostDeployment
 *   GET  /engine/v1/worker-actions/deployments/:id/bundle  → the bundle's bytes (a single ES module)
 * The last two also take the `apiToken` of a lease in that environment, in the header `x-acme-lease`.
 */
import { z } from "zod";
import { AboutHost } from "./about-host.ts";
import { cutString } from "./cut-string.ts";
import { CheckpointRef, CompletedOperation, JournalEntry, RunResume } from "./journal.ts";
import { LIMITS } from "./limits.ts";
import { LogEntry } from "./log-entry.ts";
import { MACHINE_PRESETS } from "./machines.ts";
import { RetryOptions, WorkerManifest } from "./manifest.ts";
import { TaskRunError } from "./run-errors.ts";
import { MetricPoint, SpanRecord } from "./telemetry.ts";
import { TELEMETRY_LIMITS } from "./telemetry-limits.ts";

export const HOST_PROTOCOL = 1;

/** Milliseconds since the epoch, or of a duration: what a `Date` can hold. */
const Millis = z.number().int().min(0).max(8_640_000_000_000_000);
const Id = z.string().max(LIMITS.idBytes);
const DataType = z.string().max(LIMITS.typeBytes);
const Reason = cutString(LIMITS.reasonBytes);

export const DequeueRequest = z.object({
  protocol: z.literal(HOST_PROTOCOL),
  /** The host's name, which is the same after a restart. */
  hostId: z.string().min(1).max(128),
  /** New at every start of the host process: a new session ends the leases of the host's earlier ones. */
  sessionId: z.string().min(1).max(128),
  /** How many runs the host can take. 0: it only listens for notices. */
  max: z.number().int().min(0).max(LIMITS.dequeueBatch),
  waitMs: Millis.max(60_000),
  /** What the dashboard shows about the host. Absent: the host's version is older than this field. */
  about: AboutHost.optional(),
});
export type DequeueRequest = z.infer<typeof DequeueRequest>;

/** An attempt handed to a host. `token` fences it: every report about it carries it. */
export const DequeuedRun = z.object({
  runId: z.string(),
  taskId: z.string(),
  token: z.number().int(),
  attempt: z.number().int().min(1),
  /** Milliseconds within which the host has to report the start. */
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
  /** Maximum number of attempts. Null: the task's retry settings decide. */
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
  /** The span from which the run was triggered: see `trace-context.ts`. */
  traceparent: z.string().nullish(),
  /**
   * Set if the attempt resumes: after a suspension, or after its host was lost. Absent: the attempt starts.
   */
  resume: RunResume.nullish(),
  /**
   * What code inside the run calls the API with: bound to this lease, valid for minutes, renewed with heartbeats
   * (`ReportResponse.apiTokens`) and refused after the lease's end. It also proves to the server that this host holds, or
   * held, the lease.
   */
  apiToken: z.string().max(LIMITS.tokenBytes).optional(),
});
export type DequeuedRun = z.infer<typeof DequeuedRun>;

/**
 * A notice for a host between its reports. It is delivered at least once; a host ignores what it knows
 * already.
 */
export const HostNotice = z.discriminatedUnion("type", [
  z.object({ type: z.literal("cancel"), runId: z.string(), token: z.number().int() }),
  /**
   * An operation that the run waits for has a result. If the notice is lost, the answer to the run's
   * suspension contains the result too.
   */
  z.object({ type: z.literal("operation"), token: z.number().int(), ...CompletedOperation.shape }),
]);
export type HostNotice = z.infer<typeof HostNotice>;

export const DequeueResponse = z.object({
  runs: z.array(DequeuedRun),
  notices: z.array(HostNotice),
  /** The server's clock in milliseconds since the epoch, to compare clocks. */
  now: Millis,
  /**
   * True if the session was ended, because the host was silent for too long or has restarted. Its runs went
   * to other hosts. The host stops all of its runs and begins a new session.
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
     * The runtime's decision: `{ delayMs }` retries after that time, null does not retry (AbortTaskRunError,
     * for instance). Absent if the runtime could not decide (crash, out of memory): the task's retry settings
     * do.
     */
    retry: z.object({ delayMs: Millis }).nullable().optional(),
  }),
  /** The attempt ended because the run was canceled. */
  z.object({ type: z.literal("canceled") }),
  /** The host returns the run, unstarted or drained: it is queued again, and no attempt is counted. */
  z.object({ type: z.literal("released"), reason: Reason }),
]);
export type AttemptOutcome = z.infer<typeof AttemptOutcome>;

const Lease = { runId: Id, token: z.number().int() };

/**
 * How a host resumes an attempt, for the run's timeline. `reason` says why a saved process was not restored.
 */
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

/** A host sends a batch again, with the same number, when it did not get the answer. Later batches have higher numbers. */
export const LogBatch = z.object({ sender: z.string().min(1).max(64), number: z.number().int().min(0) });
export type LogBatch = z.infer<typeof LogBatch>;

export const RunLogs = z.object({
  runId: Id,
  /** The lease's `apiToken`, the latest one: logs of runs that the host never held are refused. */
  apiToken: z.string().max(LIMITS.tokenBytes).optional(),
  attempt: z.number().int(),
  entries: z.array(LogEntry).max(LIMITS.entriesPerReport),
  spans: z.array(SpanRecord).max(TELEMETRY_LIMITS.spansPerReport).optional(),
  metrics: z.array(MetricPoint).max(TELEMETRY_LIMITS.pointsPerReport).optional(),
  batch: LogBatch.optional(),
});
export type RunLogs = z.infer<typeof RunLogs>;

/**
 * Operations of a run: new ones, and results of earlier ones. Applied in order. Fields that are known do not
 * change.
 */
export const RunJournal = z.object({
  ...Lease,
  attempt: z.number().int(),
  entries: z.array(JournalEntry).max(LIMITS.entriesPerReport),
});
export type RunJournal = z.infer<typeof RunJournal>;

/**
 * The run only waits, and is frozen: its slots can be released. `waits` are the numbers of the operations
 * that it waits for, all of which were in an earlier journal or are in one of the same report.
 */
export const RunSuspension = z.object({
  ...Lease,
  waits: z.array(z.number().int()).min(1),
  checkpoint: CheckpointRef.nullish(),
  /** Why the process could not be saved, if that was tried: the run will be replayed. */
  checkpointError: Reason.optional(),
  usageMs: z.number().min(0).optional(),
});
export type RunSuspension = z.infer<typeof RunSuspension>;

/** A saved process that the host keeps. Its run may have finished or been resumed elsewhere. */
export const KeptCheckpoint = z.object({ runId: Id, id: Id });
export type KeptCheckpoint = z.infer<typeof KeptCheckpoint>;

/**
 * Everything that a host reports, in one call. The order within a run is: started, journals, then completed
 * or suspended.
 */
export const ReportRequest = z.object({
  protocol: z.literal(HOST_PROTOCOL),
  hostId: z.string().min(1).max(128),
  sessionId: z.string().min(1).max(128),
  started: z.array(AttemptStarted).default([]),
  completed: z.array(AttemptCompleted).default([]),
  /** The leases to renew: all that the host holds. */
  heartbeats: z.array(z.object(Lease)).default([]),
  journals: z.array(RunJournal).default([]),
  suspensions: z.array(RunSuspension).default([]),
  /** Asks which of these are still needed. The host deletes the others. */
  checkpoints: z.array(KeptCheckpoint).max(LIMITS.dequeueBatch).default([]),
  logs: z.array(RunLogs).default([]),
  /** Set by a host that is shutting down: the runs that it still holds are queued again at once. */
  goodbye: z.boolean().optional(),
});
export type ReportRequest = z.input<typeof ReportRequest>;

/**
 * `ok`: recorded now or earlier, because reports are idempotent. `stale`: the lease is over; the host must
 * stop that attempt and forget it. `canceled`: the run was canceled; the host must stop the attempt. `retry`:
 * the owner could not be reached; the host sends the report again.
 */
export const LeaseVerdict = z.enum(["ok", "stale", "canceled", "retry"]);
export type LeaseVerdict = z.infer<typeof LeaseVerdict>;

/**
 * `suspended`: done, the lease is over. `resume`: an operation that the run waits for has a result already.
 * Nothing was released, the lease continues, and the host resumes the process with `completed`.
 */
export const SuspensionVerdict = z.discriminatedUnion("verdict", [
  z.object({ verdict: z.enum(["suspended", "stale", "canceled", "retry"]) }),
  z.object({ verdict: z.literal("resume"), completed: z.array(CompletedOperation) }),
]);
export type SuspensionVerdict = z.infer<typeof SuspensionVerdict>;

/** `keep` is also the answer if the owner could not be asked. */
export const CheckpointVerdict = z.enum(["keep", "drop"]);
export type CheckpointVerdict = z.infer<typeof CheckpointVerdict>;

export const ReportResponse = z.object({
  started: z.array(LeaseVerdict),
  completed: z.array(LeaseVerdict),
  heartbeats: z.array(LeaseVerdict),
  journals: z.array(LeaseVerdict).default([]),
  suspensions: z.array(SuspensionVerdict).default([]),
  checkpoints: z.array(CheckpointVerdict).default([]),
  /** The next `apiToken` of each heartbeat's run; null if the lease was not renewed. */
  apiTokens: z.array(z.string().nullable()).default([]),
  /** `refused`: the host did not hold that run; it must not send the logs again. */
  logs: z.array(z.enum(["ok", "refused", "retry"])).default([]),
});
export type ReportResponse = z.infer<typeof ReportResponse>;

export const HostImage = z.object({
  /** `REPOSITORY@sha256:…`, or the id of an image that is on the host's Docker Engine already. */
  reference: z.string().max(512),
  /**
   * An image is used only if its label `PROJECT_LABEL` has this value, because hosts can pull the images of
   * many projects.
   */
  projectRef: z.string(),
});
export type HostImage = z.infer<typeof HostImage>;

/** The label that names the project of a deployment's image. */
export const PROJECT_LABEL = "acme.project";

export const HostDeployment = z.object({
  id: z.string(),
  version: z.string(),
  contentHash: z.string(),
  bundleBytes: z.number().int(),
  /**
   * The image from which containers are started. Absent: the host's own image, which contains only Node.js.
   */
  image: HostImage.optional(),
  manifest: WorkerManifest,
  /** The environment's variables, which are set for its processes. */
  env: z.record(z.string(), z.string()),
  /** Names of the variables whose values must not appear in logs and errors. */
  secretNames: z.array(z.string()).default([]),
});
export type HostDeployment = z.infer<typeof HostDeployment>;
