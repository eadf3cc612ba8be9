import type { QueueState } from "../queue/rpc.ts";
import type { Grant } from "./queue-flow.ts";

/**
 * Counts the slots of an environment that are not free. Such a slot is, at any moment,
 *
 * - **in flight**: a grant that has not been settled offers a permit for it;
 * - **prefetched**: a queue has a permit for it that it has not used;
 * - **held**: a run occupies it.
 *
 * `sent` and `settled` change the slots in flight, and `reported` the other two. A grant is settled before the state in its
 * answer is applied, within one synchronous step, so a slot is never missing from the sum while others look at it.
 */
export class SlotAccount {
  #held = 0;
  #prefetched = 0;
  #inflight = 0;

  get held(): number {
    return this.#held;
  }

  get prefetched(): number {
    return this.#prefetched;
  }

  /** Returns how many of `limit` slots are free. */
  freeOf(limit: number): number {
    const taken = this.#held + this.#prefetched + this.#inflight;
    return Math.max(0, limit - taken);
  }

  /** Counts permits that a grant offers from now on. */
  sent(permits: number): void {
    this.#inflight += permits;
  }

  /** Stops counting the permits of a grant that was answered or can no longer take effect. */
  settled({ max, prefetched }: Grant): void {
    this.#inflight -= max + prefetched;
  }

  /** Replaces the state that a queue's partition reported before. */
  reported(before: QueueState, state: QueueState): void {
    this.#held += state.held - before.held;
    this.#prefetched += state.prefetched - before.prefetched;
  }
}
