import type { RuntimeToHost } from "@acme/sdk/contract";
import { suspendInMs } from "./suspend-plan.ts";

type Waits = Extract<RuntimeToHost, { type: "waiting" }>["waits"];

/** How long a run stays in memory after the server answered its suspension without a result to continue with. */
const NO_NEWS_MS = 5_000;

/**
 * Tracks whether a run only waits, and when it should be suspended. Times are those of `performance.now()`.
 */
export class WaitWatch {
  #suspendAt = Number.POSITIVE_INFINITY;
  #notBefore = 0;
  #onlyWaits = false;

  /** The run only waits, until its activity changes. */
  get onlyWaits(): boolean {
    return this.#onlyWaits;
  }

  waits(waits: Waits, suspendAfterMs: number, now: number): void {
    this.#onlyWaits = true;
    const ms = suspendInMs(waits, Date.now(), suspendAfterMs);
    this.#suspendAt = ms === null ? Number.POSITIVE_INFINITY : Math.max(now + ms, this.#notBefore);
  }

  works(): void {
    this.#onlyWaits = false;
    this.#suspendAt = Number.POSITIVE_INFINITY;
  }

  /** Returns true once, when the run should be suspended. */
  isDue(now: number): boolean {
    if (now < this.#suspendAt) return false;
    this.#suspendAt = Number.POSITIVE_INFINITY;
    return true;
  }

  /** The server had no result: asking again immediately would give the same answer. */
  noNews(now: number): void {
    this.#notBefore = now + NO_NEWS_MS;
  }
}
