import type { DequeueGrant } from "../rpc.ts";

/** How many of a queue's runs hold a slot: all, and of those the ones without a concurrency key. */
export interface Held {
  all: number;
  keyless: number;
}

/**
 * Permits that the environment gave in advance: while nobody else wants them, the queue leases what is triggered to one host
 * session at once, in the trigger's own commit, instead of asking through two objects first.
 *
 * The environment counts the slots a queue holds plus the permits it may still use. That sum, as it was last told, is never
 * exceeded; a slot that gets free becomes a permit again. In memory only: a queue that starts anew has no permits. Of a queue
 * that is split the same holds for runs without a concurrency key.
 */
export class Standing {
  #grant: DequeueGrant | null = null;
  /** Held plus left, as the environment knows it at least. */
  #sum: Held = { all: 0, keyless: 0 };

  /** The host that the permits are for; null: there are none. */
  get grant(): DequeueGrant | null {
    return this.#grant;
  }

  /** A grant was answered, after which the queue holds so many slots. One without permits takes earlier ones back. */
  give(grant: DequeueGrant, held: Held): void {
    this.#grant = grant.standing > 0 ? grant : null;
    this.#sum = {
      all: held.all + grant.standing,
      keyless: held.keyless + (grant.shared?.keylessStanding ?? grant.standing),
    };
  }

  /** Permits that can be used while so many slots are held. */
  left(held: Held): Held {
    if (!this.#grant) return { all: 0, keyless: 0 };
    const { standing, shared } = this.#grant;
    const all = Math.max(0, Math.min(standing, this.#sum.all - held.all));
    if (!shared) return { all, keyless: all };
    return {
      all,
      keyless: Math.max(0, Math.min(all, shared.keylessStanding, this.#sum.keyless - held.keyless)),
    };
  }

  /** The environment is being told that it may count no more than this. */
  told(sum: Held): void {
    this.#sum = {
      all: Math.min(this.#sum.all, sum.all),
      keyless: Math.min(this.#sum.keyless, sum.keyless),
    };
  }

  revoke(): void {
    this.#grant = null;
  }
}
