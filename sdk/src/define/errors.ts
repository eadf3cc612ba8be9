/** Thrown in a task: the run fails at once, whatever attempts are left. */
export class AbortTaskRunError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AbortTaskRunError";
  }
}

/** Thrown in a task: the run is reported as out of memory, for native code that runs out without killing the process. */
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

/** The reason of a run's `signal` when it ran longer than its `maxDuration`. */
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

/** A payload that the task's schema refuses. */
export class TaskPayloadParsedError extends Error {
  constructor(cause: unknown) {
    super(`Parsing payload with schema failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = "TaskPayloadParsedError";
  }
}
