import type { DequeueGrant } from "./rpc.ts";

/** How many of a queue's runs hold a slot: all, and of those the ones without a concurrency key. */
export interface Held {
  all: number;
  unkeyed: number;
}

/**
 * Permits that the environment granted in advance. While nobody else wants the slots, the queue leases what is triggered to
 * one host session at once, in the trigger's own commit, instead of asking through two objects first.
 *
 * The environment counts the slots that a queue holds plus the permits that it may still use. The queue never exceeds that
 * sum as it last reported it; a slot that becomes free becomes a permit again. Permits are kept in memory only: a queue
 * object that restarts has none. In a split queue the same holds for runs without a concurrency key.
 */
export class PrefetchedPermits {
  #grant: DequeueGrant | null = null;
  /** Slots held plus permits left: the environment counts at least this much. */
  #sum: Held = { all: 0, unkeyed: 0 };

  /** The grant that the permits came with, which names their host; null: there are no permits. */
  get grant(): DequeueGrant | null {
    return this.#grant;
  }

  /**
   * Records that a grant was answered, after which the queue holds this many slots. A grant without permits
   * revokes earlier ones.
   */
  give(grant: DequeueGrant, held: Held): void {
    this.#grant = grant.prefetched > 0 ? grant : null;
    this.#sum = {
      all: held.all + grant.prefetched,
      unkeyed: held.unkeyed + (grant.shared?.unkeyedPrefetched ?? grant.prefetched),
    };
  }

  /** Returns the permits that can still be used while this many slots are held. */
  left(held: Held): Held {
    if (!this.#grant) return { all: 0, unkeyed: 0 };
    const { prefetched, shared } = this.#grant;
    const all = Math.max(0, Math.min(prefetched, this.#sum.all - held.all));
    if (!shared) return { all, unkeyed: all };
    return {
      all,
      unkeyed: Math.max(0, Math.min(all, shared.unkeyedPrefetched, this.#sum.unkeyed - held.unkeyed)),
    };
  }

  /** A state with this sum is being reported: the environment may count no more from now on. */
  reported(sum: Held): void {
    this.#sum = {
      all: Math.min(this.#sum.all, sum.all),
      unkeyed: Math.min(this.#sum.unkeyed, sum.unkeyed),
    };
  }

  revoke(): void {
    this.#grant = null;
  }
}
