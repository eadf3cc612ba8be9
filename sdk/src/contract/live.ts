/**
 * The protocol of live subscriptions: one WebSocket a page or process, many subscriptions on it.
 *
 * `GET /api/v1/live` with the subprotocols `acme.live.1` and `acme.token.TOKEN` (a secret key, a public token or a run's
 * token); with a personal access token and `?environment=`; or, in a browser that is signed in, with `?environment=` and the
 * session's cookie. A token travels as a subprotocol because browsers can set no other header of a WebSocket, and an address
 * would end up in logs.
 * A connection that may not be opened is opened all the same, gets one `error` message and is closed with code 4401,
 * 4403, 4404 or 4503: a browser shows a page nothing of a handshake that failed. Only a server that has no room for another
 * connection answers with 503 and `retry-after` instead.
 *
 * All messages are JSON texts. Unknown fields are ignored, so either side may be newer; a message of an unknown type is
 * ignored by the client and answered with an error by the server. The text `ping` is answered with `pong`, without
 * waking anything. `LIVE_PROTOCOL` changes only when the protocol breaks.
 */
import { z } from "zod";
import { PUBLIC_STATUSES, RunSummary } from "./api/runs.ts";
import { parseRunId } from "./ids.ts";
import { LIVE_LIMITS, LIVE_SKIP_COLUMNS } from "./live-constants.ts";
import { LogEntry } from "./log-entry.ts";
import { QueueName } from "./manifest.ts";
import { STREAM_LIMITS } from "./stream-limits.ts";

export * from "./live-constants.ts";
export type { RunSummary };

const text = (max: number) => z.string().min(1).max(max);
const list = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(LIVE_LIMITS.filterValues);
const RunId = z.string().refine((id) => parseRunId(id) !== null, "Give the id of a run: run_…");

/** All conditions must hold; of a list any value, but of `allTags` every one. Times in milliseconds since the epoch. */
export const LiveFilter = z.object({
  statuses: list(z.enum(PUBLIC_STATUSES)).optional(),
  tasks: list(text(256)).optional(),
  /** Deployment versions. */
  versions: list(text(64)).optional(),
  tags: list(text(128)).optional(),
  allTags: list(text(128)).optional(),
  queues: list(QueueName).optional(),
  machines: list(text(64)).optional(),
  batch: text(128).optional(),
  schedule: text(128).optional(),
  isTest: z.boolean().optional(),
  rootRunId: text(128).optional(),
  parentRunId: text(128).optional(),
  /** Created at or after. */
  from: z.number().optional(),
});
export type LiveFilter = z.infer<typeof LiveFilter>;

const StreamKey = text(STREAM_LIMITS.keyLength).refine(
  (key) => !key.startsWith("$"),
  "A stream's key does not begin with $.",
);

const SubscriptionId = text(64);
const Limit = z.number().int().min(1).max(LIVE_LIMITS.snapshotRuns).optional();
/** What the server said last about this subscription. It sends what came since, or a snapshot where it can't know. */
const Position = text(128).optional();

/** What is left out of runs. A public token may say that itself; that counts then. */
const SkipColumns = z.array(z.enum(LIVE_SKIP_COLUMNS)).max(LIVE_SKIP_COLUMNS.length).optional();

/** What a client can watch. */
export const LiveTarget = z.discriminatedUnion("kind", [
  /** One run with its data. Position: the run's `position`. */
  z.object({
    kind: z.literal("run"),
    runId: RunId,
    skipColumns: SkipColumns,
    position: z.number().optional(),
  }),
  /** The newest runs that a filter matches, and each change of those and of newer ones. */
  z.object({
    kind: z.literal("runs"),
    filter: LiveFilter.default({}),
    limit: Limit,
    /** With payload, output, error and metadata. Default false. */
    data: z.boolean().optional(),
    skipColumns: SkipColumns,
    position: Position,
  }),
  /** The runs of one batch. */
  z.object({
    kind: z.literal("batch"),
    batchId: text(128),
    limit: Limit,
    data: z.boolean().optional(),
    skipColumns: SkipColumns,
    position: Position,
  }),
  /** Counts of the environment, at most once a second. */
  z.object({ kind: z.literal("environment") }),
  /** The log lines of a run, in order. `after`: the sequence number of the last line known; absent: from the first kept. */
  z.object({ kind: z.literal("logs"), runId: RunId, after: z.number().int().min(0).optional() }),
  /**
   * The records of a stream of a run, in order. `after`: the number of the last record known, -1 for none. Without it the
   * subscription begins at the first record, or at the last that exists if `from` is `latest`.
   */
  z.object({
    kind: z.literal("stream"),
    runId: RunId,
    key: StreamKey,
    after: z.number().int().min(-1).optional(),
    from: z.enum(["start", "latest"]).optional(),
  }),
]);
export type LiveTarget = z.infer<typeof LiveTarget>;
export type LiveTargetInput = z.input<typeof LiveTarget>;

export const LiveClientMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("subscribe"), id: SubscriptionId, target: LiveTarget }),
  z.object({ type: z.literal("unsubscribe"), id: SubscriptionId }),
  /** A newer token for the same environment: subscriptions stay. */
  z.object({ type: z.literal("auth"), token: text(8_192) }),
  /**
   * The client has handled this many messages since it said so last. It says so at the latest after 16 messages or
   * 128 Ki characters. The server sends a client that lags by its window
   * nothing until it has caught up, and then the latest state instead of every change.
   */
  z.object({ type: z.literal("ack"), count: z.number().int().min(1) }),
  /**
   * The client has handled the records of a stream up to this number. The server sends each subscription to a stream at
   * most `LIVE_LIMITS.streamWindow` messages more than that.
   */
  z.object({ type: z.literal("handled"), id: SubscriptionId, seq: z.number().int().min(-1) }),
]);
export type LiveClientMessage = z.infer<typeof LiveClientMessage>;
export type LiveClientMessageInput = z.input<typeof LiveClientMessage>;

/** Payload, output and the like as text of its type (`application/json`, `application/super+json`, `text/plain`). */
export const LivePacket = z.object({ data: z.string(), dataType: z.string() });
export type LivePacket = z.infer<typeof LivePacket>;

/** `application/store` as a type: the data is a reference; the client downloads it through the API. */
export const LiveRunData = z.object({
  payload: LivePacket.optional(),
  output: LivePacket.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  error: z
    .object({ name: z.string().optional(), message: z.string(), stackTrace: z.string().optional() })
    .optional(),
  /** Keys of its streams. */
  streams: z.array(z.string()).optional(),
});
export type LiveRunData = z.infer<typeof LiveRunData>;

/** A run as lists show it. `position` grows with each change of the run: of two, the one with the higher is later. */
export const LiveRun = RunSummary.extend({ position: z.number(), data: LiveRunData.optional() });
export type LiveRun = z.infer<typeof LiveRun>;

export const LiveLogLine = LogEntry.extend({
  /** From 1, without gaps, but for the oldest lines of a run that has more than are kept. */
  seq: z.number().int(),
  attempt: z.number().int(),
});
export type LiveLogLine = z.infer<typeof LiveLogLine>;

/** A record of a stream. `chunk` is what the task wrote. */
export const LiveStreamRecord = z.object({
  /** From 0, without gaps. */
  seq: z.number().int(),
  /** Milliseconds since the epoch. */
  time: z.number(),
  chunk: z.unknown(),
});
export type LiveStreamRecord = z.infer<typeof LiveStreamRecord>;

/** What an environment does now: runs that are not over by their state, and its settings. */
export const LiveEnvironment = z.object({
  /** Runs that are not over; a status with none is absent. */
  counts: z.partialRecord(z.enum(PUBLIC_STATUSES), z.number()),
  /** Runs that may execute at once, without and with burst. */
  concurrencyLimit: z.number(),
  burstFactor: z.number(),
  paused: z.boolean(),
});
export type LiveEnvironment = z.infer<typeof LiveEnvironment>;

export const LiveServerMessage = z.discriminatedUnion("type", [
  /** The first message of a connection. `window`: see `ack`. `expiresAt`: when the token expires, in milliseconds. */
  z.object({
    type: z.literal("welcome"),
    protocol: z.number(),
    environment: z.object({ id: z.string(), slug: z.string() }),
    window: z.number(),
    expiresAt: z.number().optional(),
  }),
  /** `auth` was accepted. */
  z.object({ type: z.literal("authenticated"), expiresAt: z.number().optional() }),
  /** The token has expired: nothing more is sent until `auth` brings another one. */
  z.object({ type: z.literal("expired") }),
  /** All runs of a subscription, newest first: what the client knew before is void. `more`: older ones match as well. */
  z.object({
    type: z.literal("snapshot"),
    id: SubscriptionId,
    position: z.string(),
    runs: z.array(LiveRun),
    more: z.boolean(),
  }),
  /** Runs that changed or came, and ids of runs that the filter no longer matches. Of one run only the latest state. */
  z.object({
    type: z.literal("changes"),
    id: SubscriptionId,
    position: z.string(),
    runs: z.array(LiveRun),
    removed: z.array(z.string()),
  }),
  /** One run. `final`: it is over; no further message comes but for changes of its metadata and tags. */
  z.object({ type: z.literal("run"), id: SubscriptionId, run: LiveRun, final: z.boolean() }),
  z.object({ type: z.literal("environment"), id: SubscriptionId, environment: LiveEnvironment }),
  /**
   * Lines in order. `previous`: the sequence number before the first line, 0 where none is kept: a client that knows an
   * earlier one as the last has missed some and subscribes again after that one. Also without lines: all there is.
   */
  z.object({
    type: z.literal("logs"),
    id: SubscriptionId,
    previous: z.number().int(),
    lines: z.array(LiveLogLine),
  }),
  /**
   * Records of a stream, in order. `previous`: the number before the first of them; a client that knows an earlier one as
   * the last has missed some and subscribes again after that one. Also without records: all there is. `end`: the run is
   * over, and no further message comes.
   */
  z.object({
    type: z.literal("stream"),
    id: SubscriptionId,
    previous: z.number().int(),
    records: z.array(LiveStreamRecord),
    end: z.boolean(),
  }),
  /** With `id`: that subscription ended; without: the connection ends. `code` and `status` as in the HTTP API. */
  z.object({
    type: z.literal("error"),
    id: SubscriptionId.optional(),
    status: z.number(),
    code: z.string(),
    message: z.string(),
  }),
]);
export type LiveServerMessage = z.infer<typeof LiveServerMessage>;
