import { backoffMs } from "../backoff.ts";
import { messageOf } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import type { HostLog } from "../log.ts";

/**
 * The wait before the executor is asked again whether it can start runtimes, which grows with each failure.
 */
const PROBE = { firstMs: 200, maxMs: 10_000 };

/**
 * Tracks whether the executor can start runtimes. After a failed start it is `blocked`, and the executor is
 * asked repeatedly; it is `open` again when the executor answers that it can. A successful start resets the
 * count of failures.
 */
export class StartGuard {
  readonly #executor: Executor;
  readonly #log: HostLog;
  readonly #onOpen: () => void;
  #state: "open" | "blocked" | "closed" = "open";
  #failures = 0;

  constructor(executor: Executor, log: HostLog, onOpen: () => void) {
    this.#executor = executor;
    this.#log = log;
    this.#onOpen = onOpen;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  started(): void {
    this.#failures = 0;
  }

  failed(reason: string): void {
    this.#failures += 1;
    if (this.#failures === 1 || this.#failures % 10 === 0)
      this.#log.error(`A runtime could not be started (${this.#failures}×): ${reason}`);
    if (this.#state !== "open") return;
    this.#state = "blocked";
    this.#probeLater(this.#failures);
  }

  /** Stops the checks: nothing is started any more. */
  close(): void {
    this.#state = "closed";
  }

  #probeLater(failures: number): void {
    setTimeout(() => void this.#probe(failures), backoffMs(failures, PROBE)).unref();
  }

  async #probe(failures: number): Promise<void> {
    if (this.#state !== "blocked") return;
    try {
      await this.#executor.probe();
    } catch (error) {
      if (failures % 5 === 1)
        this.#log.warn(`The ${this.#executor.name} executor can't start runtimes: ${messageOf(error)}`);
      this.#probeLater(failures + 1);
      return;
    }
    // The guard may have been closed meanwhile.
    if ((this.#state as string) !== "blocked") return;
    this.#state = "open";
    this.#onOpen();
  }
}
