import {
  type AttemptOutcome,
  DEFAULTS,
  INTERNAL_ERRORS,
  LIMITS,
  type RetryOptions,
  RunStatus,
  type TaskRunError,
} from "@acme/sdk/contract";

/** Milliseconds before the attempt after `attempt` (1-based): min(max, (1 + random) · min · factor^(attempt − 1)). */
export function retryDelay(options: RetryOptions, attempt: number, random: () => number): number {
  const { factor, minTimeoutInMs, maxTimeoutInMs, randomize } = { ...DEFAULTS.retry, ...options };
  const spread = randomize ? 1 + random() : 1;
  return Math.round(Math.min(maxTimeoutInMs, spread * minTimeoutInMs * factor ** (attempt - 1)));
}

export type FailureDecision = { retryInMs: number } | { status: RunStatus };

/** What a failed attempt does to its run. `attempt` is the number of the one that failed. */
export function decideFailure(
  failure: Extract<AttemptOutcome, { type: "failure" }>,
  run: { attempt: number; maxAttempts: number | null; retry: RetryOptions | null },
  random: () => number,
): FailureDecision {
  const status = finalStatusOf(failure.error);
  if (failure.retry === null || !mayRetry(failure.error)) return { status };
  const allowed = Math.min(
    run.maxAttempts ?? run.retry?.maxAttempts ?? DEFAULTS.retry.maxAttempts,
    LIMITS.maxAttempts,
  );
  if (run.attempt >= allowed) return { status };
  return { retryInMs: failure.retry?.delayMs ?? retryDelay(run.retry ?? {}, run.attempt, random) };
}

const knownCode = (error: TaskRunError) =>
  error.type === "INTERNAL_ERROR" && error.code in INTERNAL_ERRORS
    ? INTERNAL_ERRORS[error.code as keyof typeof INTERNAL_ERRORS]
    : null;

const mayRetry = (error: TaskRunError): boolean => knownCode(error)?.retry ?? true;

const finalStatusOf = (error: TaskRunError): RunStatus =>
  knownCode(error)?.status ?? RunStatus.COMPLETED_WITH_ERRORS;
