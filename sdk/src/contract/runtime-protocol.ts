/**
 * The protocol between a container host and the runtime inside a container or process: newline-delimited JSON
 * over one duplex stream. A child process inherits the stream as file descriptor 3 (`ACME_CHANNEL=fd:3`). A
 * container connects to a Unix socket that is mounted for it alone (`ACME_CHANNEL=unix:/acme/host.sock`), so
 * it cannot reach other runs. The first line is `hello` with the channel's token. When the stream ends, the
 * host is gone and the runtime exits.
 */
import { z } from "zod";
import { AttemptOutcome, DequeuedRun } from "./host-protocol.ts";
import { JournalEntry, OperationKind, OperationResult } from "./journal.ts";
import { LogEntry } from "./log-entry.ts";
import { MetricPoint, SpanRecord } from "./telemetry.ts";

export const RUNTIME_PROTOCOL = 1;

/** The environment variables that a runtime is started with. */
export const RUNTIME_ENV = {
  /** `fd:N` or `unix:PATH`. */
  channel: "ACME_CHANNEL",
  /** Secret of this channel, sent back in `hello`. */
  channelToken: "ACME_CHANNEL_TOKEN",
  /** Absolute path of the bundle (an ES module) as the runtime sees it. */
  bundle: "ACME_BUNDLE",
  apiUrl: "ACME_API_URL",
  /** Set by the runtime for each run: its `apiToken`. */
  secretKey: "ACME_SECRET_KEY",
} as const;

export const HostToRuntime = z.discriminatedUnion("type", [
  /** Execute this attempt. One at a time. */
  z.object({ type: z.literal("run"), run: DequeuedRun }),
  /**
   * Abort the attempt's signal; the runtime answers `completed` with `canceled`, or is killed after a grace
   * period.
   */
  z.object({ type: z.literal("cancel"), runId: z.string() }),
  /** What the run calls the API with from now on: the one before expires. */
  z.object({ type: z.literal("token"), runId: z.string(), apiToken: z.string() }),
  /** The journal messages of this run up to `seq` are durable. */
  z.object({ type: z.literal("journaled"), runId: z.string(), seq: z.number().int() }),
  /** An operation that the run waits for has a result. The runtime ignores results that it knows already. */
  z.object({
    type: z.literal("operation"),
    runId: z.string(),
    number: z.number().int(),
    result: OperationResult,
  }),
  /**
   * The run only waits: freeze it. The runtime answers `suspended` or `working`. After `suspended` none of
   * the run's code runs until `resume`, and with `checkpoint` the runtime closes its end of the channel and
   * connects again (every 50 ms, first line `hello`) until it is answered: by then it may have been saved,
   * moved and restored.
   */
  z.object({ type: z.literal("suspend"), runId: z.string(), checkpoint: z.boolean() }),
  /**
   * Resume after `suspended`, with this token from now on. Results come in `operation` messages before this
   * one. If the token differs, the suspension was recorded, with the time used until then. `env` replaces the
   * variables for calling the API.
   */
  z.object({
    type: z.literal("resume"),
    runId: z.string(),
    token: z.number().int(),
    env: z.record(z.string(), z.string()).optional(),
  }),
  /**
   * After `suspended` with `reusable`: the run is resumed elsewhere. The runtime forgets it and is free for
   * other runs.
   */
  z.object({ type: z.literal("forget"), runId: z.string() }),
  /** Start no other run, and exit with code 0. */
  z.object({ type: z.literal("shutdown") }),
]);
export type HostToRuntime = z.infer<typeof HostToRuntime>;

export const RuntimeToHost = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    protocol: z.literal(RUNTIME_PROTOCOL),
    token: z.string(),
    pid: z.number().int(),
  }),
  /** The bundle is loaded; runs can be sent. */
  z.object({ type: z.literal("ready") }),
  /** The bundle could not be loaded; the process exits after it. */
  z.object({ type: z.literal("broken"), message: z.string(), stackTrace: z.string().optional() }),
  /**
   * The task function is about to be called. A run that ends at once has only `completed`, with `startedAt`.
   */
  z.object({ type: z.literal("started"), runId: z.string(), token: z.number().int(), at: z.number() }),
  z.object({
    type: z.literal("log"),
    runId: z.string(),
    attempt: z.number().int(),
    entries: z.array(LogEntry),
  }),
  /** Spans and metric points of an attempt; its outcome never depends on them. */
  z.object({
    type: z.literal("telemetry"),
    runId: z.string(),
    attempt: z.number().int(),
    spans: z.array(SpanRecord),
    metrics: z.array(MetricPoint),
  }),
  /** Operations for the run's journal. `seq` counts these messages, from 1. */
  z.object({
    type: z.literal("journal"),
    runId: z.string(),
    token: z.number().int(),
    attempt: z.number().int(),
    seq: z.number().int(),
    entries: z.array(JournalEntry),
  }),
  /**
   * From now on the run only waits for these operations: nothing else that the SDK knows of is in progress.
   * Sent again when the set changes.
   */
  z.object({
    type: z.literal("waiting"),
    runId: z.string(),
    token: z.number().int(),
    waits: z.array(z.object({ number: z.number().int(), kind: OperationKind, until: z.number().optional() })),
  }),
  /** The run does more than wait again. */
  z.object({ type: z.literal("working"), runId: z.string(), token: z.number().int() }),
  /** The answer to `suspend`: everything was journaled before, and the run is frozen. */
  z.object({
    type: z.literal("suspended"),
    runId: z.string(),
    token: z.number().int(),
    waits: z.array(z.number().int()),
    usageMs: z.number().optional(),
    /** The run left nothing else in progress in the process, so the process can be used for other runs. */
    reusable: z.boolean().optional(),
  }),
  z.object({
    type: z.literal("completed"),
    runId: z.string(),
    token: z.number().int(),
    at: z.number(),
    /** When the task function was called, where no `started` says so. */
    startedAt: z.number().optional(),
    usageMs: z.number().optional(),
    outcome: AttemptOutcome,
    /**
     * The process exits after this, because its state can no longer be trusted: nothing else must be sent to
     * it.
     */
    exiting: z.boolean().optional(),
  }),
]);
export type RuntimeToHost = z.infer<typeof RuntimeToHost>;
