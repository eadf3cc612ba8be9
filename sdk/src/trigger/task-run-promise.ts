/** The result of a run. */
export type TaskRunResult<TIdentifier extends string, TOutput = unknown> =
  | { ok: true; id: string; taskIdentifier: TIdentifier; output: TOutput }
  | { ok: false; id: string; taskIdentifier: TIdentifier; error: unknown };

/** Thrown by `unwrap()` if the run did not succeed. `cause` is the error that the run failed with. */
export class SubtaskUnwrapError extends Error {
  readonly taskId: string;
  readonly runId: string;

  constructor(taskId: string, runId: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : undefined;
    super(`Error in ${taskId}${reason === undefined ? "" : `: ${reason}`}`, { cause });
    this.name = "SubtaskUnwrapError";
    this.taskId = taskId;
    this.runId = runId;
  }
}

/** The promise of a run's result. */
export class TaskRunPromise<TIdentifier extends string, TOutput> extends Promise<
  TaskRunResult<TIdentifier, TOutput>
> {
  readonly #taskId: TIdentifier;

  // `then`, `catch` and `finally` create plain promises, whose values are others.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  constructor(result: Promise<TaskRunResult<TIdentifier, TOutput>>, taskId: TIdentifier) {
    super((resolve, reject) => {
      result.then(resolve, reject);
    });
    this.#taskId = taskId;
  }

  /**
   * Returns the run's output.
   * @throws SubtaskUnwrapError if the run did not succeed
   */
  async unwrap(): Promise<TOutput> {
    const result = await this;
    if (result.ok) return result.output;
    throw new SubtaskUnwrapError(this.#taskId, result.id, result.error);
  }
}
