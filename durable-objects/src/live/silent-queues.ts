import { type HubHost, RETRY_MS } from "./hub-host.ts";
import { inParallel, sleep } from "./in-parallel.ts";
import type { Interest } from "./interest.ts";
import type { RunReader } from "./run-reader.ts";

/** How long a snapshot waits for queues to begin sending their changes. */
const OPEN_MS = 2_000;
const OPEN_AT_ONCE = 32;

/**
 * Asks silent queues to send their changes. It is idle or opening. While opening, it asks all silent queues,
 * and repeats that until each of them has answered.
 */
export class SilentQueues {
  readonly #host: HubHost;
  readonly #interest: Interest;
  readonly #reader: RunReader;
  readonly #openedLate: () => void;
  #opening: Promise<void> | null = null;

  /** `openedLate`: called if the queues took longer than `open` waits, so that snapshots may lack their changes. */
  constructor(host: HubHost, interest: Interest, reader: RunReader, openedLate: () => void) {
    this.#host = host;
    this.#interest = interest;
    this.#reader = reader;
    this.#openedLate = openedLate;
  }

  /** Waits until all queues send their changes, for at most `OPEN_MS`. */
  async open(): Promise<void> {
    this.#opening ??= this.#openAll().finally(() => {
      this.#opening = null;
    });
    await Promise.race([this.#opening, sleep(OPEN_MS)]);
  }

  async #openAll(): Promise<void> {
    const startedAt = this.#host.now();
    while (this.#interest.needsAll) {
      const queues = this.#interest.silentQueues();
      if (queues.length === 0) break;
      let failed = false;
      await inParallel(queues, OPEN_AT_ONCE, async (queueKey) => {
        try {
          await this.#reader.listen(queueKey, []);
        } catch {
          failed = true;
        }
      });
      if (failed) await sleep(RETRY_MS);
    }
    // Snapshots that did not wait may lack changes that such a queue had not sent.
    if (this.#host.now() - startedAt > OPEN_MS) this.#openedLate();
  }
}
