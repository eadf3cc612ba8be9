import type { RuntimeToHost } from "../contract/runtime-protocol.ts";

export type Waits = Extract<RuntimeToHost, { type: "waiting" }>["waits"];

/**
 * Reports to the host whether the run only waits, each time that changes: a run that only waits can be
 * suspended.
 */
export class ActivityReporter {
  readonly #send: (waits: Waits | undefined) => void;
  /** The last state that was reported to the host: numbers of operations, or "" for a run that works. */
  #reported = "";
  #paused = false;

  /** `send(undefined)` reports that the run works. A run that has reported nothing yet works. */
  constructor(send: (waits: Waits | undefined) => void) {
    this.#send = send;
  }

  /** Reports nothing until `resume`: the host is being answered whether the run can be suspended. */
  pause(): void {
    this.#paused = true;
  }

  /** The host was answered, and takes the run to be working. */
  resume(): void {
    this.#paused = false;
    this.#reported = "";
  }

  /** True if `waits` is something that the host does not know yet. */
  isNews(waits: Waits | undefined): boolean {
    return !this.#paused && numbersOf(waits) !== this.#reported;
  }

  report(waits: Waits | undefined): void {
    if (!this.isNews(waits)) return;
    this.#reported = numbersOf(waits);
    this.#send(waits);
  }
}

const numbersOf = (waits: Waits | undefined): string => waits?.map(({ number }) => number).join() ?? "";
