/** Names and limits of the protocol of live subscriptions, for clients: without the schemas of `live.ts`. */
export const LIVE_PROTOCOL = 1;
export const LIVE_SUBPROTOCOL = "acme.live.1";
export const LIVE_TOKEN_SUBPROTOCOL = "acme.token.";

export const LIVE_LIMITS = {
  /** Characters of one message of a client. */
  messageLength: 64 * 1024,
  subscriptionsPerSocket: 128,
  /** Values of one list of a filter. */
  filterValues: 64,
  /** Most runs of a snapshot, and its default. */
  snapshotRuns: 1_000,
  defaultSnapshotRuns: 100,
  /** Log lines of one message. */
  logLines: 1_000,
  /** A client acknowledges at the latest when it has handled so many messages, or so many characters. */
  acknowledgeMessages: 16,
  acknowledgeCharacters: 128 * 1024,
  /** Characters of the records of one message of a stream, unless a single record has more. */
  streamCharacters: 64 * 1024,
  /** Messages of one stream that a client may have without having handled them. */
  streamWindow: 8,
} as const;

/** What a subscription may leave out of runs: names of Trigger.dev's columns. */
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
 * Codes that the server closes a socket with. With 4401 and 4403 a client has to bring another token before it comes
 * again; with 4503 it comes again later.
 */
export const LIVE_CLOSE = {
  protocol: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  notFound: 4404,
  unavailable: 4503,
} as const;
