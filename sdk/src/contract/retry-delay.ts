import { DEFAULTS } from "./limits.ts";
import type { RetryOptions } from "./manifest.ts";

/**
 * Milliseconds until the next attempt after attempt number `attempt` (from 1) failed; undefined: no attempts are left.
 * `min(max, random × min × factor^(attempt-1))`, `random` between 1 and 2 where `randomize` is on.
 */
export function nextRetryDelay(
  options: RetryOptions,
  attempt: number,
  random: () => number = Math.random,
): number | undefined {
  const o = { ...DEFAULTS.retry, ...options };
  if (attempt >= o.maxAttempts) return undefined;
  const spread = o.randomize ? 1 + random() : 1;
  return Math.round(Math.min(o.maxTimeoutInMs, spread * o.minTimeoutInMs * o.factor ** (attempt - 1)));
}
