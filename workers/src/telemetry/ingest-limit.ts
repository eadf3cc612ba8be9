import type { Bindings } from "../bindings.ts";
import { type RateLimit, TokenBucket } from "../http/token-bucket.ts";
import type { TelemetryBatch } from "./store.ts";

/**
 * Limit of an environment's spans, log lines and metric points. A run that logs 100,000 lines at once is
 * acceptable.
 */
const DEFAULT: RateLimit = { burst: 500_000, perSecond: 20_000 };
/**
 * The maximum number of environments that are counted. Others are not limited: the limit is for the few that
 * send too much.
 */
const MAX_BUCKETS = 10_000;

/**
 * One bucket per environment, in this isolate, so that counting needs no call. Several isolates together
 * allow a multiple of the limit.
 */
const buckets = new Map<string, TokenBucket>();

/** Parses `BURST,PER_SECOND`; returns undefined for any other text. */
export function parseTelemetryLimit(text: string | undefined): RateLimit | undefined {
  if (!text) return DEFAULT;
  const match = /^(\d{1,9}),(\d{1,9})$/.exec(text);
  const [burst, perSecond] = [Number(match?.[1]), Number(match?.[2])];
  return burst >= 1 && perSecond >= 1 ? { burst, perSecond } : undefined;
}

/**
 * Counts a batch of an environment. Returns 0 if it may be stored, otherwise the milliseconds that its sender
 * has to wait.
 */
export function takeTelemetry(
  env: Pick<Bindings, "TELEMETRY_RATE_LIMIT">,
  environment: string,
  { spans, logs, metrics }: Pick<TelemetryBatch, "spans" | "logs" | "metrics">,
): number {
  const limit = parseTelemetryLimit(env.TELEMETRY_RATE_LIMIT) ?? DEFAULT;
  let bucket = buckets.get(environment);
  if (!bucket) {
    if (buckets.size >= MAX_BUCKETS) buckets.clear();
    bucket = new TokenBucket();
    buckets.set(environment, bucket);
  }
  const count = Math.min(limit.burst, spans.length + logs.length + metrics.length);
  return bucket.takeAll(count, limit, Date.now());
}
