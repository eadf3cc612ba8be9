/** Thrown in a task: the run fails at once, even if attempts are left. */
export class AbortTaskRunError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AbortTaskRunError";
  }
}

/**
 * Thrown in a task: the run fails as out of memory. For native code that runs out of memory without ending
 * the process. See `retry.outOfMemory` of the task.
 */
export class OutOfMemoryError extends Error {
  constructor() {
    super("MANUAL_OOM_KILL_ERROR");
    this.name = "OutOfMemoryError";
  }
}

/** Thrown in a task: the run completes successfully with this output. */
export class CompleteTaskWithOutput extends Error {
  readonly output: unknown;
  constructor(output?: unknown) {
    super("Complete task with output");
    this.name = "CompleteTaskWithOutput";
    this.output = output;
  }
}

/** The reason of a run's `signal` after the run exceeded its `maxDuration`. */
export class MaxDurationExceededError extends Error {
  readonly maxDurationInSeconds: number;
  readonly elapsedTimeInSeconds: number;
  constructor(maxDurationInSeconds: number, elapsedTimeInSeconds: number) {
    super(
      `Run exceeded maximum compute time (maxDuration) of ${maxDurationInSeconds} seconds (elapsed: ${elapsedTimeInSeconds.toFixed(1)} seconds)`,
    );
    this.name = "MaxDurationExceededError";
    this.maxDurationInSeconds = maxDurationInSeconds;
    this.elapsedTimeInSeconds = elapsedTimeInSeconds;
  }
}

/** The task's schema refused the payload. */
export class TaskPayloadParsedError extends Error {
  constructor(cause: unknown) {
    super(`Parsing payload with schema failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = "TaskPayloadParsedError";
  }
}
