/** Of the streams of a run. Over a limit is a 413 that says which. */
export const STREAM_LIMITS = {
  streamsPerRun: 100,
  recordsPerStream: 1_000_000,
  /** All records of a stream, as JSON. */
  streamCharacters: 256 * 1024 * 1024,
  /** One chunk, as JSON. */
  recordCharacters: 1024 * 1024,
  /** The body of an append. */
  appendBytes: 512 * 1024,
  /** `Timeout-Seconds` of a reader. */
  maxTimeoutSeconds: 600,
  keyLength: 256,
} as const;
