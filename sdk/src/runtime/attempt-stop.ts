import type { MaxDurationExceededError } from "../define/errors.ts";

/** Whether an attempt is being ended from outside: it was canceled, or has used up its `maxDuration`. */
export class AttemptStop {
  readonly #controller = new AbortController();
  #canceled = false;
  #timedOut: MaxDurationExceededError | undefined;

  get canceled(): boolean {
    return this.#canceled;
  }

  /** The error with which the attempt fails, if it has used up its `maxDuration`. */
  get timedOut(): MaxDurationExceededError | undefined {
    return this.#timedOut;
  }

  /** Aborted in both cases. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  cancel(): void {
    this.#canceled = true;
    this.#controller.abort();
  }

  timeOut(error: MaxDurationExceededError): void {
    this.#timedOut = error;
    this.#controller.abort(error);
  }
}
