/**
 * Between a container host and the runtime inside a container or process: newline-delimited JSON over one duplex stream.
 * A child process inherits it as file descriptor 3 (`ACME_CHANNEL=fd:3`); a container connects to a Unix socket that is
 * mounted for it alone (`ACME_CHANNEL=unix:/acme/host.sock`), so it can reach no other run. The first line is `hello`
 * with the channel's token. A runtime whose stream ends exits: its host is gone.
 */
import { z } from "zod";
import { AttemptOutcome, DequeuedRun, LogEntry } from "./host-protocol.ts";

export const RUNTIME_PROTOCOL = 1;

/** Environment variables a runtime is started with. */
export const RUNTIME_ENV = {
  /** `fd:N` or `unix:PATH`. */
  channel: "ACME_CHANNEL",
  /** Secret of this channel, sent back in `hello`. */
  channelToken: "ACME_CHANNEL_TOKEN",
  /** Absolute path of the bundle (an ES module) as the runtime sees it. */
  bundle: "ACME_BUNDLE",
  apiUrl: "ACME_API_URL",
  secretKey: "ACME_SECRET_KEY",
} as const;

export const HostToRuntime = z.discriminatedUnion("type", [
  /** Execute this attempt. One at a time. */
  z.object({ type: z.literal("run"), run: DequeuedRun }),
  /** Abort the attempt's signal; the runtime answers `completed` with `canceled`, or is killed after a grace period. */
  z.object({ type: z.literal("cancel"), runId: z.string() }),
  /** Finish nothing new and exit 0. */
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
  /** The task function is about to be called. */
  z.object({ type: z.literal("started"), runId: z.string(), token: z.number().int(), at: z.number() }),
  z.object({
    type: z.literal("log"),
    runId: z.string(),
    attempt: z.number().int(),
    entries: z.array(LogEntry),
  }),
  z.object({
    type: z.literal("completed"),
    runId: z.string(),
    token: z.number().int(),
    at: z.number(),
    usageMs: z.number().optional(),
    outcome: AttemptOutcome,
    /** The process exits after this (its state can't be trusted any more): send it nothing else. */
    exiting: z.boolean().optional(),
  }),
]);
export type RuntimeToHost = z.infer<typeof RuntimeToHost>;
