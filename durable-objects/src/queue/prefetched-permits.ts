import type { DequeueGrant } from "./rpc.ts";

/** How many of a queue's runs hold a slot: all, and of those the ones without a concurrency key. */
export interface Held {
  all: number;
  unkeyed: number;
}

/**
 * Permits that the environment gave in advance: while nobody else wants them, the queue leases what is triggered to one host
 * session at once, in the trigger's own commit, instead of asking through two objects first.
 *
 * The environment counts the slots a queue holds plus the permits it may still use. That sum, as it was last told, is never
 * exceeded; a slot that gets free becomes a permit again. In memory only: a queue that starts anew has no permits. Of a queue
 * that is split the same holds for runs without a concurrency key.
 */
export class PrefetchedPermits {
  #grant: DequeueGrant | null = null;
  /** Held plus left, as the environment knows it at least. */
  #sum: Held = { all: 0, unkeyed: 0 };

  /** The host that the permits are for; null: there are none. */
  get grant(): DequeueGrant | null {
    return this.#grant;
  }

  /** A grant was answered, after which the queue holds so many slots. One without permits takes earlier ones back. */
  give(grant: DequeueGrant, held: Held): void {
    this.#grant = grant.prefetched > 0 ? grant : null;
    this.#sum = {
      all: held.all + grant.prefetched,
      unkeyed: held.unkeyed + (grant.shared?.unkeyedPrefetched ?? grant.prefetched),
    };
  }

  /** Permits that can be used while so many slots are held. */
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

  /** The environment is being told that it may count no more than this. */
  told(sum: Held): void {
    this.#sum = {
      all: Math.min(this.#sum.all, sum.all),
      unkeyed: Math.min(this.#sum.unkeyed, sum.unkeyed),
    };
  }

  revoke(): void {
    this.#grant = null;
  }
}
