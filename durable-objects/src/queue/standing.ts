import type { DequeueGrant } from "../rpc.ts";

/**
 * Permits that the environment gave in advance: while nobody else wants them, the queue leases what is triggered to one host
 * session at once, in the trigger's own commit, instead of asking through two objects first.
 *
 * The environment counts the slots a queue holds plus the permits it may still use. That sum, as it was last told, is never
 * exceeded; a slot that gets free becomes a permit again. In memory only: a queue that starts anew has no permits.
 */
export class Standing {
  #grant: DequeueGrant | null = null;
  /** Held plus left, as the environment knows it at least. */
  #sum = 0;

  /** The host that the permits are for; null: there are none. */
  get grant(): DequeueGrant | null {
    return this.#grant;
  }

  /** A grant was answered, after which the queue holds `held` slots. One without permits takes earlier ones back. */
  give(grant: DequeueGrant, held: number): void {
    this.#grant = grant.standing > 0 ? grant : null;
    this.#sum = held + grant.standing;
  }

  /** Permits that can be used while `held` slots are held. */
  left(held: number): number {
    return this.#grant ? Math.max(0, Math.min(this.#grant.standing, this.#sum - held)) : 0;
  }

  /** The environment is being told that it may count no more than this. */
  told(sum: number): void {
    this.#sum = Math.min(this.#sum, sum);
  }

  revoke(): void {
    this.#grant = null;
  }
}
