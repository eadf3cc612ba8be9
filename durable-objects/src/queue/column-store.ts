import { log } from "../lib/log.ts";
import { COLUMN_STORE, Projector, type Source } from "./projector.ts";
import type { RunProjection } from "./rpc.ts";

/**
 * Keeps the store for queries over millions of runs up to date. The store may be down for a long time:
 * nothing in the queue waits for it, and the rows that it lacks stay where they are.
 */
export class ColumnStoreFollower {
  readonly #projector: Projector;
  readonly #later: () => void;
  #flush: Promise<void> | null = null;

  /** @param later arranges for `flush` to be called again soon */
  constructor(source: Source, store: RunProjection, later: () => void) {
    this.#projector = new Projector(source, store, COLUMN_STORE);
    this.#later = later;
  }

  /** Records that something changed. */
  schedule(): void {
    this.#projector.schedule();
  }

  /** Sends everything that has changed until now, or arranges to be called again. */
  flush(): Promise<void> {
    this.#flush ??= this.#send().finally(() => {
      this.#flush = null;
    });
    return this.#flush;
  }

  async #send(): Promise<void> {
    try {
      await this.#projector.flush();
    } catch (error) {
      log.error("The column store could not be reached; changed runs will be sent again", { error });
      this.#later();
    }
  }
}
