import type { RetryOptions } from "../contract/manifest.ts";
import { nextRetryDelay } from "../contract/retry-delay.ts";
import type { HandleErrorModificationOptions } from "../define/hook-types.ts";

export interface RetryFacts {
  /** The task's settings, without defaults. */
  retry: RetryOptions;
  /** The number of the attempt that failed, from 1. */
  attempt: number;
  /** Maximum number of attempts, if the trigger set it. */
  maxAttempts: number | null | undefined;
  /** True in a DEVELOPMENT environment if the configuration has `enabledInDev: false`. */
  disabled: boolean;
}

/** Milliseconds until the next attempt; null if there is no next attempt. */
export type RetryDecision = { delayMs: number } | null;

const MAX_DELAY_MS = 365 * 86_400_000;

const FINAL = new Set(["AbortTaskRunError", "TaskPayloadParsedError", "NonDeterministicError"]);

/** True if another attempt cannot succeed. `catchError` is not asked then. */
export function isFinalError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (FINAL.has(error.name)) return true;
  if (error.name !== "TriggerApiError" || !("status" in error) || typeof error.status !== "number")
    return false;
  const { status } = error;
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** Decides by the retry settings, before `catchError` is asked. */
export function decideBySettings(error: unknown, facts: RetryFacts, random?: () => number): RetryDecision {
  if (facts.disabled || isFinalError(error)) return null;
  const delay = nextRetryDelay(settingsOf(facts, facts.retry), facts.attempt, random);
  if (delay === undefined) return null;
  if (error instanceof Error && error.name === "TriggerApiError" && "millisecondsUntilReset" in error) {
    const reset = error.millisecondsUntilReset;
    if (typeof reset === "number" && reset > 0) return { delayMs: reset };
  }
  return { delayMs: delay };
}

/** Decides by what `catchError` returned. */
export function decideByHook(
  result: HandleErrorModificationOptions,
  facts: RetryFacts,
  now: number,
): RetryDecision {
  if (result.skipRetrying) return null;
  if (result.retryAt) return decisionOf(result.retryAt.getTime() - now);
  if (typeof result.retryDelayInMs === "number") return decisionOf(result.retryDelayInMs);
  if (result.retry) {
    const delay = nextRetryDelay(settingsOf(facts, result.retry), facts.attempt);
    return delay === undefined ? null : decisionOf(delay);
  }
  return null;
}

/**
 * The delay comes from the task's code. If it is not a number (from an invalid date, say), the run is retried
 * at once.
 */
const decisionOf = (delayMs: number): RetryDecision => ({
  delayMs: Number.isNaN(delayMs) ? 0 : Math.min(Math.max(0, Math.round(delayMs)), MAX_DELAY_MS),
});

const settingsOf = (facts: RetryFacts, retry: RetryOptions): RetryOptions =>
  facts.maxAttempts ? { ...retry, maxAttempts: Math.max(facts.maxAttempts, 1) } : retry;
