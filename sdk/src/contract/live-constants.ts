/**
 * Names and limits of the live subscription protocol. Clients import them without the schemas of `live.ts`.
 */
export const LIVE_PROTOCOL = 1;
export const LIVE_SUBPROTOCOL = "acme.live.1";
export const LIVE_TOKEN_SUBPROTOCOL = "acme.token.";

export const LIVE_LIMITS = {
  /** The maximum number of characters of one client message. */
  messageLength: 64 * 1024,
  subscriptionsPerSocket: 128,
  /** The maximum number of values of one list of a filter. */
  filterValues: 64,
  /** The maximum number of runs of a snapshot, and its default. */
  snapshotRuns: 1_000,
  defaultSnapshotRuns: 100,
  /** The maximum number of log lines of one message. */
  logLines: 1_000,
  /** A client acknowledges at the latest after it has handled this many messages or characters. */
  acknowledgeMessages: 16,
  acknowledgeCharacters: 128 * 1024,
  /**
   * The maximum number of characters of the records of one stream message, unless a single record has more.
   */
  streamCharacters: 64 * 1024,
  /**
   * The maximum number of messages of one stream that the server sends before the client has handled them.
   */
  streamWindow: 8,
} as const;

/** The fields of runs that a subscription may leave out, by Trigger.dev's column names. */
export const LIVE_SKIP_COLUMNS = [
  "startedAt",
  "delayUntil",
  "queuedAt",
  "expiredAt",
  "completedAt",
  "number",
  "isTest",
  "usageDurationMs",
  "costInCents",
  "baseCostInCents",
  "ttl",
  "payload",
  "payloadType",
  "metadata",
  "output",
  "outputType",
  "runTags",
  "error",
] as const;
export type LiveSkipColumn = (typeof LIVE_SKIP_COLUMNS)[number];

/**
 * Codes with which the server closes a socket. After 4401 and 4403 a client needs another token before it
 * reconnects; after 4503 it reconnects later.
 */
export const LIVE_CLOSE = {
  protocol: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  notFound: 4404,
  unavailable: 4503,
} as const;
