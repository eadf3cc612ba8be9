import {
  type AttemptOutcome,
  DEFAULTS,
  INTERNAL_ERRORS,
  LIMITS,
  type MachinePreset,
  type RetryOptions,
  RunStatus,
  retryDelay,
  type TaskRunError,
} from "@acme/sdk/contract";

/** Retry after a delay, retry at once on another machine, or end in this status. */
export type FailureDecision = { retryInMs: number } | { machine: MachinePreset } | { status: RunStatus };

/** Decides what a failed attempt does to its run. `attempt` is the number of the one that failed. */
export function decideFailure(
  failure: Extract<AttemptOutcome, { type: "failure" }>,
  run: {
    attempt: number;
    maxAttempts: number | null;
    retry: RetryOptions | null;
    machine: MachinePreset;
  },
  random: () => number,
): FailureDecision {
  const status = finalStatusOf(failure.error);
  const allowed = Math.min(
    run.maxAttempts ?? run.retry?.maxAttempts ?? DEFAULTS.retry.maxAttempts,
    LIMITS.maxAttempts,
  );
  if (run.attempt >= allowed) return { status };
  const larger = run.retry?.outOfMemory?.machine;
  if (isOutOfMemory(failure.error) && larger && larger !== run.machine) return { machine: larger };
  if (failure.retry === null || !mayRetry(failure.error)) return { status };
  return { retryInMs: failure.retry?.delayMs ?? retryDelay(run.retry ?? {}, run.attempt, random) };
}

const isOutOfMemory = (error: TaskRunError): boolean =>
  error.type === "INTERNAL_ERROR" && error.code === "TASK_PROCESS_OOM_KILLED";

const knownCode = (error: TaskRunError) =>
  error.type === "INTERNAL_ERROR" && error.code in INTERNAL_ERRORS
    ? INTERNAL_ERRORS[error.code as keyof typeof INTERNAL_ERRORS]
    : null;

const mayRetry = (error: TaskRunError): boolean => knownCode(error)?.retry ?? true;

/** The status that a run ends in when this error is final. */
export const finalStatusOf = (error: TaskRunError): RunStatus =>
  knownCode(error)?.status ?? RunStatus.COMPLETED_WITH_ERRORS;
