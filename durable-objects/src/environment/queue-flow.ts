import { DeficitRoundRobin } from "../lib/drr.ts";
import type { QueueState, SharedGrant } from "../queue/rpc.ts";
import type { LimitsOfGrant, NamedLimits } from "./named-limits.ts";
import type { SharedRate } from "./shared-rate.ts";

/** Slots, or permits for slots: of all runs, and of the runs without a concurrency key among them. */
export interface Slots {
  all: number;
  unkeyed: number;
}

/** One object of a queue: its only one, unless the queue is split. */
export interface Partition {
  readonly flow: QueueFlow;
  state: QueueState;
  /** Permits in grants that have not been answered. */
  inflight: Slots;
  active: boolean;
  /** When it last held, wanted or was granted anything. */
  usedAt: number;
}

export interface Grant extends LimitsOfGrant {
  queueKey: string;
  max: number;
  /** Prefetched permits, see the queue's `PrefetchedPermits`. */
  prefetched: number;
  /** Set for a split queue. */
  shared?: SharedGrant;
  /** True: the grant was counted against a rate that is kept here. */
  rated?: boolean;
  /** How often the partitions' states had changed when it was made. */
  changes?: number;
}

/** What a partition could start now under the limits that it knows itself. */
interface Wanted extends Slots {
  keyed: number;
}

/**
 * A queue among those of its environment. The limits that its partitions share are counted here: the limit of
 * runs without a concurrency key, the one over all keys, and the rate. Like the environment's limit, each
 * counts slots held, prefetched permits and unanswered grants, so it is never exceeded; slots that one
 * partition does not use are free for the others. The queue has one turn among the queues, which its
 * partitions use alternately. A queue that is not split keeps its limits itself.
 */
export class QueueFlow {
  readonly queue: string;
  readonly #named: NamedLimits;
  readonly partitions = new Map<string, Partition>();
  /** The number of changes through the API. A partition that knows of fewer gets no grants. */
  revision = 0;
  promotion = 0;
  /** How many partitions new runs are spread over. */
  count = 1;
  rate: SharedRate | null = null;
  /** The limit of the environment without its burst, which no queue exceeds. */
  #environmentLimit = Number.POSITIVE_INFINITY;
  #limits: Slots = { all: Number.POSITIVE_INFINITY, unkeyed: Number.POSITIVE_INFINITY };
  readonly #turns = new DeficitRoundRobin();
  /** True: some partition has to wait for slots that other partitions may use. */
  #waits = false;
  /** Partitions that had nothing to lease when they were asked, since the last change, with the version of the named limits. */
  readonly #fruitless = new Map<string, number>();
  /** How often a partition's state has changed. */
  #changes = 0;
  /** Unanswered grants that were not counted against the rate. */
  #unrated = 0;

  constructor(queue: string, named: NamedLimits) {
    this.queue = queue;
    this.#named = named;
  }

  /** Whether some of its runs hold named limits. */
  get isLimited(): boolean {
    for (const { state } of this.partitions.values()) if (state.limits) return true;
    return false;
  }

  /** Returns whether more than one object may have runs of the queue. */
  get isSplit(): boolean {
    return this.partitions.size > 1 || this.rate !== null || this.hasMisplacedKeys;
  }

  /** Whether some keys have runs in a partition that they belonged to before the number of partitions changed. */
  get hasMisplacedKeys(): boolean {
    for (const { state } of this.partitions.values()) if (state.misplacedKeys) return true;
    return false;
  }

  /** To be called when a partition's state has changed. */
  changed(): void {
    this.#changes += 1;
    this.#fruitless.clear();
  }

  /** Returns whether no partition has reported anything since the grant was made. */
  isUnchangedSince({ changes }: Grant): boolean {
    return changes === this.#changes;
  }

  /**
   * Records that a grant leased nothing: the runs have to wait for slots that their keys hold elsewhere. That is so until
   * there is more of a named limit than when the grant was made, which may have been before its answer.
   */
  wasFruitless({ queueKey, shared, complete = true, limits, version = this.#named.version }: Grant): void {
    if (complete && (shared?.elsewhere || limits)) this.#fruitless.set(queueKey, version);
  }

  setLimits(limits: Slots): void {
    this.#limits = limits;
  }

  /**
   * Returns the limit over all keys, and when the rate allows a start; null if there is no limit or it holds
   * nothing back.
   */
  sharedLimits(now: number): { limit: number | null; nextStartAt: number | null } {
    const { all } = this.#limits;
    const { rate } = this;
    return {
      limit: all === Number.POSITIVE_INFINITY ? null : all,
      nextStartAt: rate && rate.available(now) < 1 ? rate.refillAt(now) : null,
    };
  }

  /** Returns the number of slots that may still be taken. */
  get free(): Slots {
    const taken: Slots = { all: 0, unkeyed: 0 };
    for (const { state, inflight } of this.partitions.values()) {
      taken.all += state.held + state.prefetched + inflight.all;
      taken.unkeyed += state.unkeyed.held + state.unkeyed.prefetched + inflight.unkeyed;
    }
    const left = (limit: number, of: number): number => Math.max(0, limit - of);
    if (!this.isSplit) {
      return { all: left(this.#environmentLimit, taken.all), unkeyed: Number.POSITIVE_INFINITY };
    }
    const { all, unkeyed } = this.#limits;
    return {
      all: left(Math.min(all, this.#environmentLimit), taken.all),
      unkeyed: left(unkeyed, taken.unkeyed),
    };
  }

  /** Returns how many runs can be dequeued now. To be called after each change. */
  ready(environmentLimit: number, now: number): number {
    this.#environmentLimit = environmentLimit;
    const free = this.free;
    const sum: Wanted = { all: 0, unkeyed: 0, keyed: 0 };
    let possible = 0;
    for (const [queueKey, partition] of this.partitions) {
      const wanted = this.#wantedOf(partition);
      const isFruitless = this.#fruitless.get(queueKey) === this.#named.version;
      const ready = isFruitless
        ? 0
        : Math.min(wanted.all, wanted.keyed + Math.min(wanted.unkeyed, free.unkeyed));
      this.#turns.set(queueKey, ready);
      possible += ready;
      sum.all += wanted.all;
      sum.keyed += wanted.keyed;
      sum.unkeyed += wanted.unkeyed;
    }
    const allowed = Math.min(free.all, sum.keyed + Math.min(sum.unkeyed, free.unkeyed), this.#tokens(now));
    const ready = this.#isSettled(this.#isMixed) ? Math.min(possible, allowed) : 0;
    this.#waits = this.isSplit && sum.all > ready;
    return ready;
  }

  /** Returns whether the limit of a key spans several partitions. */
  get #isMixed(): boolean {
    return this.#limits.unkeyed !== Number.POSITIVE_INFINITY && this.hasMisplacedKeys;
  }

  /**
   * Keys that may have runs in several partitions are counted over all of them: one partition at a time gets a grant, with the
   * slots that the others hold. Returns false while those are unknown or a grant is unanswered.
   */
  #isSettled(isMixed: boolean): boolean {
    if (!this.isSplit || this.#limits.unkeyed === Number.POSITIVE_INFINITY) return true;
    for (const { state, inflight } of this.partitions.values()) {
      const isBusy = state.held > state.unkeyed.held || state.prefetched > 0 || inflight.all > 0;
      // The partition does not know yet which of its keys belong elsewhere now.
      if (state.partitions !== this.count && isBusy) return false;
      if (isMixed && (inflight.all > 0 || state.prefetched > 0)) return false;
      if (isMixed && state.held > state.unkeyed.held && !state.keys) return false;
    }
    return true;
  }

  /** Whether the partition must report which keys hold slots in it. */
  needsKeysOf({ state }: Partition): boolean {
    return this.#isMixed && state.held > state.unkeyed.held && !state.keys;
  }

  /** When the rate allows more starts; null: it holds nothing back. */
  refillAt(now: number): number | null {
    return this.#waits && this.rate ? this.rate.refillAt(now) : null;
  }

  /** Takes permits for `count` ready runs, partition by partition in turn. */
  take(count: number, now: number): Grant[] {
    let { unkeyed: free } = this.free;
    const grants: Grant[] = [];
    const isMixed = this.#isMixed;
    for (const [queueKey, share] of isMixed ? this.#takeOne(count) : this.#turns.take(count)) {
      const partition = this.partitions.get(queueKey) as Partition;
      const wanted = this.#wantedOf(partition);
      if (!this.isSplit) {
        // Another queue may have been granted what was left of a named limit.
        const max = partition.state.limits ? Math.min(share, wanted.all) : share;
        if (max > 0) grants.push({ queueKey, max, prefetched: 0, ...this.#named.grant(partition.state) });
      } else {
        const unkeyed = Math.min(share, wanted.unkeyed, free);
        const max = Math.min(share, wanted.keyed + unkeyed);
        if (max === 0) continue;
        free -= unkeyed;
        const { revision, promotion } = this;
        const shared: SharedGrant = { unkeyed, unkeyedPrefetched: 0, revision, promotion };
        if (isMixed) shared.elsewhere = this.#heldElsewhere(queueKey);
        grants.push({ queueKey, max, prefetched: 0, shared, ...this.#named.grant(partition.state) });
      }
    }
    for (const grant of grants) {
      grant.rated = this.rate !== null;
      grant.changes = this.#changes;
      if (this.rate) this.rate.reserve(grant.max);
      else this.#unrated += 1;
      reserve(this.partitions.get(grant.queueKey) as Partition, permitsOf(grant), now);
    }
    return grants;
  }

  /** Takes the turn of the next partition only, which is last afterwards. */
  #takeOne(count: number): Map<string, number> {
    const [first] = this.#turns.keys();
    if (first === undefined) return new Map();
    const share = Math.min(count, this.#turns.of(first));
    this.#turns.set(first, 0);
    return new Map([[first, share]]);
  }

  /** Returns the slots that keys hold in other partitions than this one. */
  #heldElsewhere(queueKey: string): Record<string, number> {
    const held: Record<string, number> = {};
    for (const [other, { state }] of this.partitions) {
      if (other === queueKey) continue;
      for (const [key, slots] of Object.entries(state.keys ?? {})) held[key] = (held[key] ?? 0) + slots;
    }
    return held;
  }

  /** Adds prefetched permits to a grant: `prefetched` in all, and at most `unkeyed` of them for runs without a key. */
  addPrefetched(grant: Grant, prefetched: number, unkeyed: number, now: number): void {
    if (this.rate || grant.shared?.elsewhere || grant.limits) return;
    grant.prefetched = prefetched;
    if (grant.shared) grant.shared.unkeyedPrefetched = Math.min(prefetched, unkeyed);
    const added = { all: prefetched, unkeyed: grant.shared?.unkeyedPrefetched ?? prefetched };
    reserve(this.partitions.get(grant.queueKey) as Partition, added, now);
  }

  /** Settles a grant that was answered or can't take effect. `started`: starts that count against the rate; null: unknown. */
  settle(grant: Grant, started: number | null, now: number): void {
    const { inflight } = this.partitions.get(grant.queueKey) as Partition;
    const { all, unkeyed } = permitsOf(grant);
    inflight.all -= all;
    inflight.unkeyed -= unkeyed;
    if (grant.rated) this.rate?.settle(grant.max, started ?? grant.max, now);
    else this.#unrated -= 1;
  }

  /**
   * Returns the partitions with prefetched permits that others wait for, or that would start more than the
   * rate allows.
   */
  prefetchedToRevoke(): string[] {
    if (!this.isSplit || (!this.#waits && !this.rate)) return [];
    return [...this.partitions]
      .filter(([, partition]) => partition.state.prefetched > 0 || this.needsKeysOf(partition))
      .map(([queueKey]) => queueKey);
  }

  #tokens(now: number): number {
    if (!this.rate) return Number.POSITIVE_INFINITY;
    // Starts by earlier permits are not counted against the rate: those permits are revoked, and grants answered, first.
    if (this.#unrated > 0) return 0;
    for (const { state } of this.partitions.values()) if (state.prefetched > 0) return 0;
    return this.rate.available(now);
  }

  #wantedOf({ state, inflight }: Partition): Wanted {
    const isBehind = state.revision < this.revision;
    let all = isBehind ? 0 : Math.max(0, state.ready - inflight.all);
    if (state.limits) {
      let possible = Math.max(0, state.open - inflight.all);
      for (const [set, { ready }] of Object.entries(state.limits))
        possible += Math.min(ready, this.#named.available(set));
      all = Math.min(all, possible);
    }
    return {
      all,
      keyed: Math.min(all, state.keyed),
      unkeyed: Math.min(all, Math.max(0, state.unkeyed.ready - inflight.unkeyed)),
    };
  }
}

/** The slots that a grant may turn into. Without a share for runs without a key, all of them may be such runs. */
const permitsOf = ({ max, prefetched, shared }: Grant): Slots => ({
  all: max + prefetched,
  unkeyed: shared ? shared.unkeyed + shared.unkeyedPrefetched : max + prefetched,
});

function reserve(partition: Partition, { all, unkeyed }: Slots, now: number): void {
  partition.inflight.all += all;
  partition.inflight.unkeyed += unkeyed;
  partition.usedAt = now;
}
