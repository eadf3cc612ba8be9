import {
  type AttemptOutcome,
  DEFAULTS,
  INTERNAL_ERRORS,
  LIMITS,
  type RetryOptions,
  RunStatus,
  retryDelay,
  type TaskRunError,
} from "@acme/sdk/contract";

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
