/** What a run that was waited for came to. */
export type TaskRunResult<TIdentifier extends string, TOutput = unknown> =
  | { ok: true; id: string; taskIdentifier: TIdentifier; output: TOutput }
  | { ok: false; id: string; taskIdentifier: TIdentifier; error: unknown };

/** A run that was waited for did not succeed. `cause`: the error it failed with. */
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

  // `then` and its kin make plain promises: they are of other values.
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
   * The run's output.
   * @throws SubtaskUnwrapError where it did not succeed
   */
  async unwrap(): Promise<TOutput> {
    const result = await this;
    if (result.ok) return result.output;
    throw new SubtaskUnwrapError(this.#taskId, result.id, result.error);
  }
}
