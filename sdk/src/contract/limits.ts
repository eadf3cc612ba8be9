/**
 * Limits and defaults of the platform. Sizes are in bytes and times in milliseconds, unless the name says
 * otherwise.
 */
export const LIMITS = {
  /**
   * An error's message; its stack, or a thrown value that is not an Error. Longer ones are cut in the middle.
   */
  errorMessageBytes: 8 * 1024,
  errorStackBytes: 64 * 1024,
  /** Largest body of a trigger request. */
  triggerBodyBytes: 3 * 1024 * 1024,
  /** Larger payloads and outputs are kept in the blob store and referred to. */
  inlineBytes: 128 * 1024,
  outputBytes: 10 * 1024 * 1024,
  /** Largest payload that a client uploads before it triggers. */
  packetBytes: 10 * 1024 * 1024,
  /** Largest return value of a `step`, which is kept in the run's journal. */
  stepOutputBytes: 1024 * 1024,
  metadataBytes: 256 * 1024,
  tagsPerRun: 10,
  tagLength: 128,
  /** Largest number of attempts that a run can have, whatever its settings say. */
  maxAttempts: 250,
  /** Longest chain of runs in which each waits for the next one (`triggerAndWait` and the like). */
  waitDepth: 100,
  /** Largest number of runs that a host gets in one answer. */
  dequeueBatch: 500,
  bundleBytes: 50 * 1024 * 1024,
  /**
   * JSON of a deployment with its manifest, which is one row in the query side and in the environment's
   * object.
   */
  manifestBytes: 1_750_000,
  /** Shortest allowed `maxDuration`, in seconds. */
  minMaxDurationSeconds: 5,
  /** Counts declared and created schedules together. */
  schedulesPerEnvironment: 100_000,

  // Limits of stored texts. What people read (messages, stacks, log lines) is cut in the middle where it
  // enters; what is compared or parsed (ids, names, types, results) is refused. All of one row together stays
  // well under the 2 MB that a row may have on Cloudflare.
  errorNameBytes: 256,
  /** Why the build of a deployment failed. */
  buildErrorBytes: 8 * 1024,
  logMessageBytes: 64 * 1024,
  /** JSON of a log entry's properties; larger ones become `{ truncated: "…" }`. */
  logPropertiesBytes: 128 * 1024,
  /** Why something happened: a release, a failed checkpoint. */
  reasonBytes: 500,
  /** Run ids, checkpoint ids. */
  idBytes: 128,
  /** Tokens that the server issues. */
  tokenBytes: 4_096,
  /** Types of payloads and outputs. */
  typeBytes: 128,
  /** JSON of one operation of a journal, with its result and the recorded values before it. */
  journalEntryBytes: 1_750_000,
  /** What is recorded of plain code between two operations. An entry can hold two such parts. */
  recordedBytes: 200 * 1024,
  /** Entries of one run in one report. */
  entriesPerReport: 50_000,
} as const;

export const DEFAULTS = {
  retry: { maxAttempts: 3, factor: 2, minTimeoutInMs: 1_000, maxTimeoutInMs: 60_000, randomize: true },
  /** A leased run whose start was not reported within this time is queued again. */
  dequeuedLeaseMs: 60_000,
  /** An executing run whose host has not renewed the lease within this time is queued again. */
  executingLeaseMs: 300_000,
  /** A run that only waits, for longer than this, is suspended. */
  suspendAfterMs: 5_000,
  /** How often a host renews its leases. */
  heartbeatMs: 30_000,
  /** A host that has not called for this long is lost: its runs go to other hosts. */
  hostLostMs: 60_000,
  /** How many times a run may lose its host before it fails with SYSTEM_FAILURE. */
  maxHostLosses: 12,
  idempotencyKeyTtlMs: 30 * 24 * 3_600_000,
  environmentConcurrency: 100,
  /** Longest time that a long poll is held. */
  pollMs: 20_000,
  /** How long finished runs are kept in their queue object. */
  retentionMs: 30 * 24 * 3_600_000,
} as const;

/** Largest number of partitions of a queue. Each is an object whose permits the environment counts. */
export const MAX_PARTITIONS = 64;
