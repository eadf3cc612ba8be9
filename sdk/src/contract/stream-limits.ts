/** Limits of a run's streams. A request that exceeds one is answered with a 413 that names it. */
export const STREAM_LIMITS = {
  streamsPerRun: 100,
  recordsPerStream: 1_000_000,
  /** All records of a stream, as JSON. */
  streamCharacters: 256 * 1024 * 1024,
  /** One chunk, as JSON. */
  recordCharacters: 1024 * 1024,
  /** The body of one append request. */
  appendBytes: 512 * 1024,
  /** The maximum `Timeout-Seconds` of a reader. */
  maxTimeoutSeconds: 600,
  keyLength: 256,
} as const;
