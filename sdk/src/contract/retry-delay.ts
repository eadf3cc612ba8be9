import { DEFAULTS } from "./limits.ts";
import type { RetryOptions } from "./manifest.ts";

/**
 * Returns the milliseconds between attempt number `attempt` (from 1), which failed, and the next one, even if
 * there is none: `min(max, spread · min · factor^(attempt - 1))`. `spread` is between 1 and 2 if `randomize`
 * is on, otherwise 1.
 */
export function retryDelay(options: RetryOptions, attempt: number, random: () => number): number {
  const { factor, minTimeoutInMs, maxTimeoutInMs, randomize } = { ...DEFAULTS.retry, ...options };
  const spread = randomize ? 1 + random() : 1;
  // 0 times a factor that has grown to infinity would be NaN.
  const delay = minTimeoutInMs === 0 ? 0 : spread * minTimeoutInMs * factor ** (attempt - 1);
  return Math.round(Math.min(maxTimeoutInMs, delay));
}

/** Like {@link retryDelay}, but returns undefined if no attempts are left. */
export function nextRetryDelay(
  options: RetryOptions,
  attempt: number,
  random: () => number = Math.random,
): number | undefined {
  if (attempt >= (options.maxAttempts ?? DEFAULTS.retry.maxAttempts)) return undefined;
  return retryDelay(options, attempt, random);
}
