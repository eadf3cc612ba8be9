// The runtime imports this module at its start: it must not import zod.

/** Limits of spans, log lines and metrics. Sizes are in bytes, unless the name says otherwise. */
export const TELEMETRY_LIMITS = {
  /** Names of spans, events, metrics and services: longer ones are cut in the middle. */
  nameBytes: 512,
  attributeNameBytes: 256,
  /** Longer values are cut in the middle. */
  attributeValueBytes: 8 * 1024,
  attributeItems: 128,
  /**
   * Attributes of one span, event or link. Further ones are dropped and counted in `acme.attributes.dropped`.
   */
  attributes: 128,
  attributesBytes: 64 * 1024,
  /** Spans that the code of one attempt opens. Further ones are only counted. */
  spansPerAttempt: 100_000,
  eventsPerSpan: 128,
  linksPerSpan: 128,
  buckets: 256,
  /** Items of one run in one report of a host. */
  spansPerReport: 20_000,
  pointsPerReport: 20_000,
  /**
   * Log lines of a run that the embedded store keeps. Beyond that the oldest lines are deleted, and their
   * number is kept.
   */
  logBytesPerRun: 512 * 1024 * 1024,
  /** Spans of a trace that the embedded store keeps. Further ones are dropped and counted. */
  spanBytesPerTrace: 256 * 1024 * 1024,
  spansPerTrace: 250_000,
  /**
   * Metric points of a run, or of an environment's services, that the embedded store keeps. The oldest ones
   * are deleted.
   */
  metricPoints: 100_000,
  /** Body of one OTLP request, both compressed and decompressed. */
  otlpBytes: 8 * 1024 * 1024,
  otlpInflatedBytes: 32 * 1024 * 1024,
  /** Items of one OTLP request. */
  otlpItems: 50_000,
} as const;
