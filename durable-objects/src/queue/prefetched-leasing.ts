import type { DispatcherRpc } from "../dispatcher/rpc.ts";
import { log } from "../lib/log.ts";
import { returnRuns } from "./attempts.ts";
import type { QueueContext } from "./context.ts";
import type { QueueCore } from "./core.ts";
import { dequeueRuns } from "./dequeue.ts";
import { REPORT_PACE } from "./environment-link.ts";
import type { DequeueGrant, LeasedRun } from "./rpc.ts";

/** What leasing by prefetched permits needs from its object. */
interface Owner {
  core: QueueCore;
  commit<T>(work: (q: QueueContext) => T): T;
  dispatcher(): DispatcherRpc;
  /** Called when permits were given up, so that the environment is informed. */
  permitsDropped(): void;
  waitUntil(work: Promise<unknown>): void;
}

/**
 * Leases runs by permits that the environment granted in advance (see `PrefetchedPermits`): in the commit that made the runs
 * ready, where possible, without asking the environment. A stream of runs is leased in pieces, because each delivery
 * wakes a host: after a lease, the next one waits for `#nextLeaseAt`.
 */
export class PrefetchedLeasing {
  readonly #owner: Owner;
  #nextLeaseAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** Leases as many runs as permits allow, in the current commit. The result is for `deliver`. */
  lease(q: QueueContext): LeasedRun[] {
    const { prefetched } = this.#owner.core;
    const { grant } = prefetched;
    const max = this.#leasable();
    if (!grant || max === 0 || q.now < this.#nextLeaseAt) return [];
    this.#nextLeaseAt = q.now + (max > 1 ? REPORT_PACE.lazyMs : REPORT_PACE.gapMs);
    const { shared } = grant;
    const { unkeyed } = prefetched.left(q.counters.held);
    return dequeueRuns(q, { ...grant, max, limits: undefined, shared: shared && { ...shared, unkeyed } })
      .runs;
  }

  /** Schedules a lease for runs that their own commit did not lease. */
  leaseSoon(): void {
    if (this.#timer !== undefined || this.#leasable() === 0) return;
    const ms = Math.max(0, this.#nextLeaseAt - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.deliver(this.#owner.commit((q) => this.lease(q)));
    }, ms);
  }

  /** Sends leased runs to the host that the permits are for. */
  deliver(runs: LeasedRun[]): void {
    const { grant } = this.#owner.core.prefetched;
    if (runs.length > 0 && grant) this.#owner.waitUntil(this.#deliverTo(grant, runs));
  }

  /** Gives up the permits. */
  drop(): void {
    this.#owner.core.prefetched.revoke();
    this.#owner.permitsDropped();
  }

  /** How many runs may be leased now. While there is a backlog, the environment grants larger numbers. */
  #leasable(): number {
    const { core } = this.#owner;
    const { counters, settings } = core.context;
    return settings.paused || counters.ready > core.usable ? 0 : counters.ready;
  }

  async #deliverTo(grant: DequeueGrant, runs: LeasedRun[]): Promise<void> {
    let answer = { delivered: false, more: false };
    try {
      answer = await this.#owner.dispatcher().deliver(grant.sessionId, runs);
    } catch (error) {
      // If they arrived after all, the host learns from its first report that these leases have ended.
      log.error("Runs could not be delivered to a host; they are queued again", {
        host: grant.hostId,
        error,
      });
    }
    if (!answer.more && this.#owner.core.prefetched.grant?.sessionId === grant.sessionId) this.drop();
    if (!answer.delivered) this.#owner.commit((q) => returnRuns(q, runs));
  }
}
