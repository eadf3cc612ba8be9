import type { RetryOptions } from "../contract/manifest.ts";
import { nextRetryDelay } from "../contract/retry-delay.ts";
import type { HandleErrorModificationOptions } from "../define/hook-types.ts";

export interface RetryFacts {
  /** The task's settings, defaults filled in by whoever reads them. */
  retry: RetryOptions;
  /** Number of the attempt that failed, from 1. */
  attempt: number;
  /** Attempts in all, where the trigger fixed them. */
  maxAttempts: number | null | undefined;
  /** The configuration's `enabledInDev: false` in a DEVELOPMENT environment. */
  disabled: boolean;
}

/** Milliseconds until the next attempt, or null: none. */
export type RetryDecision = { delayMs: number } | null;

const MAX_DELAY_MS = 365 * 86_400_000;

const FINAL = new Set(["AbortTaskRunError", "TaskPayloadParsedError", "NonDeterministicError"]);

/** True where no attempt can help: `catchError` isn't even asked. */
export function isFinalError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (FINAL.has(error.name)) return true;
  if (error.name !== "TriggerApiError" || !("status" in error) || typeof error.status !== "number")
    return false;
  const { status } = error;
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** What the retry settings say, before `catchError` is asked. */
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

/** What `catchError` returned turns the decision into. */
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

/** The delay comes from the task's code: one that is no number (an invalid date, say) retries at once. */
const decisionOf = (delayMs: number): RetryDecision => ({
  delayMs: Number.isNaN(delayMs) ? 0 : Math.min(Math.max(0, Math.round(delayMs)), MAX_DELAY_MS),
});

const settingsOf = (facts: RetryFacts, retry: RetryOptions): RetryOptions =>
  facts.maxAttempts ? { ...retry, maxAttempts: Math.max(facts.maxAttempts, 1) } : retry;
