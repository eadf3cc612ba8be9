/**
 * The protocol of live subscriptions: one WebSocket per page or process, with many subscriptions on it.
 *
 * `GET /api/v1/live` with the subprotocols `acme.live.1` and `acme.token.TOKEN` (a secret key, a public token
 * or a run's token); with a personal access token and `?environment=`; or, in a browser that is signed in,
 * with `?environment=` and the session's cookie. A token travels as a subprotocol because browsers can set no
 * other header of a WebSocket, and an address would end up in logs. A connection that is refused is opened
 * all the same, gets one `error` message and is closed with code 4401, 4403, 4404 or 4503, because a browser
 * shows a page nothing about a failed handshake. Only a server that can't hold another connection answers
 * with 503 and `retry-after` instead.
 *
 * All messages are JSON texts. Unknown fields are ignored, so either side may be newer; a message of an
 * unknown type is ignored by the client and answered with an error by the server. The text `ping` is answered
 * with `pong`, without waking the object. `LIVE_PROTOCOL` changes only when the protocol breaks.
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

/**
 * All conditions must hold. Any value of a list may match, but every one of `allTags` must. Times are in
 * milliseconds since the epoch.
 */
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
  /** Runs created at or after this time. */
  from: z.number().optional(),
});
export type LiveFilter = z.infer<typeof LiveFilter>;

const StreamKey = text(STREAM_LIMITS.keyLength).refine(
  (key) => !key.startsWith("$"),
  "A stream's key does not begin with $.",
);

const SubscriptionId = text(64);
const Limit = z.number().int().min(1).max(LIVE_LIMITS.snapshotRuns).optional();
/**
 * The last position that the server sent for this subscription. It sends what changed since, or a snapshot if
 * it can't know that.
 */
const Position = text(128).optional();

/** The fields that are left out of runs. If a public token names such fields, those apply instead. */
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
  /** The newest runs that a filter matches, and each change of them and of newer runs. */
  z.object({
    kind: z.literal("runs"),
    filter: LiveFilter.default({}),
    limit: Limit,
    /** Whether runs include payload, output, error and metadata. Default false. */
    data: z.boolean().optional(),
    /**
     * Whether the state of runs that changed and no longer match is sent as `left`, also of runs that were never sent:
     * for a client that shows older runs too, which it has read page by page. Default false: their ids, as `removed`.
     */
    left: z.boolean().optional(),
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
  /**
   * The log lines of a run, in order. `after`: the sequence number of the last known line. Absent: from the
   * first kept line.
   */
  z.object({ kind: z.literal("logs"), runId: RunId, after: z.number().int().min(0).optional() }),
  /**
   * The records of a stream of a run, in order. `after`: the number of the last known record, -1 for none.
   * Without it, the subscription begins at the first record, or at the last existing one if `from` is
   * `latest`.
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
  /** A newer token for the same environment. Subscriptions are kept. */
  z.object({ type: z.literal("auth"), token: text(8_192) }),
  /**
   * The client has handled this many messages since its last `ack`. It acknowledges at the latest after 16
   * messages or 128 Ki characters. The server sends nothing to a client that lags by its window until it has
   * caught up, and then sends the latest state instead of every change.
   */
  z.object({ type: z.literal("ack"), count: z.number().int().min(1) }),
  /**
   * The client has handled the records of a stream up to this number. The server sends each stream
   * subscription at most `LIVE_LIMITS.streamWindow` messages beyond that.
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
  /** Keys of the run's streams. */
  streams: z.array(z.string()).optional(),
});
export type LiveRunData = z.infer<typeof LiveRunData>;

/**
 * A run as lists show it. `position` grows with each change of the run, so the state with the higher position
 * is the later one.
 */
export const LiveRun = RunSummary.extend({ position: z.number(), data: LiveRunData.optional() });
export type LiveRun = z.infer<typeof LiveRun>;

export const LiveLogLine = LogEntry.extend({
  /** Counts from 1 without gaps. If a run has more lines than are kept, the oldest ones are missing. */
  seq: z.number().int(),
  attempt: z.number().int(),
});
export type LiveLogLine = z.infer<typeof LiveLogLine>;

/** A record of a stream. `chunk` is the value that the task wrote. */
export const LiveStreamRecord = z.object({
  /** Counts from 0 without gaps. */
  seq: z.number().int(),
  /** Milliseconds since the epoch. */
  time: z.number(),
  chunk: z.unknown(),
});
export type LiveStreamRecord = z.infer<typeof LiveStreamRecord>;

/** What an environment does now: its unfinished runs by status, and its settings. */
export const LiveEnvironment = z.object({
  /** Unfinished runs by status. Statuses without runs are left out. */
  counts: z.partialRecord(z.enum(PUBLIC_STATUSES), z.number()),
  /** The number of runs that may execute at once, without and with burst. */
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
  /** The token has expired: nothing more is sent until the client sends another one with `auth`. */
  z.object({ type: z.literal("expired") }),
  /**
   * All runs of a subscription, newest first. They replace what the client knew before. `more`: older runs
   * match as well.
   */
  z.object({
    type: z.literal("snapshot"),
    id: SubscriptionId,
    position: z.string(),
    runs: z.array(LiveRun),
    more: z.boolean(),
  }),
  /**
   * Runs that changed or are new, and ids of runs that the filter no longer matches. Only the latest state of
   * each run is sent. `left`: the runs that do not match, in place of `removed`, for a subscription with `left`.
   */
  z.object({
    type: z.literal("changes"),
    id: SubscriptionId,
    position: z.string(),
    runs: z.array(LiveRun),
    removed: z.array(z.string()),
    left: z.array(LiveRun).optional(),
  }),
  /** One run. `final`: the run is finished; further messages only report changes of its metadata and tags. */
  z.object({ type: z.literal("run"), id: SubscriptionId, run: LiveRun, final: z.boolean() }),
  z.object({ type: z.literal("environment"), id: SubscriptionId, environment: LiveEnvironment }),
  /**
   * Lines in order. `previous`: the sequence number before the first line, or 0. A client whose last known
   * line is earlier has missed some, and subscribes again after its last one. A message without lines says
   * that there are no more yet.
   */
  z.object({
    type: z.literal("logs"),
    id: SubscriptionId,
    previous: z.number().int(),
    lines: z.array(LiveLogLine),
  }),
  /**
   * Records of a stream, in order. `previous`: the number before the first of them. A client whose last known
   * record is earlier has missed some, and subscribes again after its last one. A message without records
   * says that there are no more yet. `end`: the run is finished, and no further message follows.
   */
  z.object({
    type: z.literal("stream"),
    id: SubscriptionId,
    previous: z.number().int(),
    records: z.array(LiveStreamRecord),
    end: z.boolean(),
  }),
  /**
   * With `id`, that subscription has ended; without it, the connection ends. `code` and `status` are as in
   * the HTTP API.
   */
  z.object({
    type: z.literal("error"),
    id: SubscriptionId.optional(),
    status: z.number(),
    code: z.string(),
    message: z.string(),
  }),
]);
export type LiveServerMessage = z.infer<typeof LiveServerMessage>;
