import type { Bindings } from "../bindings.ts";
import { type RateLimit, TokenBucket } from "../http/token-bucket.ts";
import type { TelemetryBatch } from "./store.ts";

/** Spans, log lines and metric points of an environment: a run that logs 100,000 lines at once is no flood. */
const DEFAULT: RateLimit = { burst: 500_000, perSecond: 20_000 };
/** More environments than that at once are let through: the limit is for the few that send too much. */
const MAX_BUCKETS = 10_000;

/**
 * A bucket for each environment. They are this isolate's, so that counting costs no call: several isolates let several times as much
 * through, each of what comes to it.
 */
const buckets = new Map<string, TokenBucket>();

/** `BURST,PER_SECOND`; undefined: it is neither. */
export function parseTelemetryLimit(text: string | undefined): RateLimit | undefined {
  if (!text) return DEFAULT;
  const match = /^(\d{1,9}),(\d{1,9})$/.exec(text);
  const [burst, perSecond] = [Number(match?.[1]), Number(match?.[2])];
  return burst >= 1 && perSecond >= 1 ? { burst, perSecond } : undefined;
}

/** Counts a batch of an environment. 0: it may be stored; else for how many milliseconds its sender has to wait. */
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
