import type { NamedLimitManifest } from "@acme/sdk/contract";
import { DeficitRoundRobin } from "../lib/drr.ts";
import { Meta, migrate, type Sql } from "../lib/sql.ts";
import type { QueueDeclaration, QueueState } from "../queue/rpc.ts";
import type { EnvironmentRef } from "../routing/refs.ts";
import { Announcements } from "./announcements.ts";
import { NamedLimits } from "./named-limits.ts";
import { loadPromotion, savePromotion } from "./promotions.ts";
import type { Grant, Partition, QueueFlow } from "./queue-flow.ts";
import { QueueRegistry } from "./queue-registry.ts";
import { ReportedChanges } from "./reported-changes.ts";
import { Revocations } from "./revocations.ts";
import type {
  CurrentDeployment,
  EnvironmentSettings,
  EnvironmentState,
  LimitChange,
  PromotedDeployment,
  QueueHold,
} from "./rpc.ts";
import { ENVIRONMENT_MIGRATIONS } from "./schema.ts";
import { loadSettings, saveSettings, slotLimit, withChanges } from "./settings.ts";
import { SlotAccount } from "./slot-account.ts";
import { SplitLimits } from "./split-limits.ts";

/** The maximum number of prefetched permits of a queue. */
const MAX_PREFETCHED = 8;
/** One queue gets at most one in this many of the free slots as prefetched permits. */
const PREFETCH_SHARE = 4;

/**
 * The decisions of an environment: which queue may lease how many runs, under the environment's limit.
 *
 * A queue is the authority on the slots that it holds. The environment keeps the latest state that each queue reported, by
 * sequence number, and adds the permits of grants that are not settled. The sum never undercounts (see `SlotAccount`). A
 * grant is, at any moment,
 *
 * - **unanswered**: from before it is sent, and its permits count in full;
 * - **lost**: its answer did not arrive, and its permits count until the queue has accepted a higher epoch, after which the
 *   lost grant can't take effect any more;
 * - **settled**: its permits no longer count, because the state in the queue's answer does.
 *
 * `grant` makes grants, `grantLost` begins the epoch that a lost one waits for, and `#settle` is the only place where a grant
 * becomes settled. `applyState` is the only place where a queue's state changes.
 */
export class EnvironmentCore {
  /** The queues and partitions of the environment. */
  readonly registry: QueueRegistry;
  /** The queues that have yet to learn of a deployment or of changes. */
  readonly announcements: Announcements;
  /** The changes of queues through the API. */
  readonly changes: ReportedChanges;
  /** The concurrency limits with names. */
  readonly named: NamedLimits;
  /** Decides which prefetched permits must be returned. */
  readonly revocations: Revocations;
  readonly #sql: Sql;
  readonly #meta: Meta;
  readonly #now: () => number;
  readonly #limits: SplitLimits;
  readonly #slots = new SlotAccount();
  /** The turns of the queues, by name. */
  readonly #turns = new DeficitRoundRobin();
  #settings: EnvironmentSettings;
  #seq: number;
  #epoch: number;

  /** Queues with runs that hold named limits, in the order in which they were last granted some. */
  readonly #limited = new Set<QueueFlow>();

  /** What the current deployment declares about queues and named concurrency limits. */
  constructor(
    sql: Sql,
    now: () => number,
    declared: (queue: string) => QueueDeclaration,
    declaredLimits: () => ReadonlyMap<string, NamedLimitManifest>,
  ) {
    this.#sql = sql;
    this.#now = now;
    migrate(sql, ENVIRONMENT_MIGRATIONS);
    this.#meta = new Meta(sql);
    this.#settings = loadSettings(this.#meta);
    // One write per start. Queues that learn of the new epoch refuse grants of earlier lives of this object, and states of
    // those lives count as older.
    this.#epoch = (this.#meta.get<number>("epoch") ?? 0) + 1;
    this.#meta.set("epoch", this.#epoch);
    this.#seq = this.#epoch * 2 ** 30;
    this.named = new NamedLimits({
      sql,
      now,
      declared: declaredLimits,
      environmentLimit: () => this.#settings.concurrencyLimit,
    });
    this.registry = new QueueRegistry(sql, now, this.named);
    this.announcements = new Announcements(this.#meta);
    this.changes = new ReportedChanges(sql, this.registry, this.announcements);
    this.#limits = new SplitLimits({ sql, now, declared, changes: this.changes });
    this.revocations = new Revocations(this.registry, this.#slots, () => this.#turns.ready > this.#free);
  }

  /** The environment; null: nobody has named it yet. */
  get environment(): EnvironmentRef | null {
    return this.#meta.get<EnvironmentRef>("environment");
  }

  get epoch(): number {
    return this.#epoch;
  }

  get settings(): EnvironmentSettings {
    return this.#settings;
  }

  /** Slots that runs occupy. */
  get held(): number {
    return this.#slots.held;
  }

  /** Runs that could be dequeued now under this environment's limit. */
  get ready(): number {
    return this.#settings.paused ? 0 : Math.min(this.#turns.ready, this.#free);
  }

  get #free(): number {
    return this.#slots.freeOf(slotLimit(this.#settings));
  }

  /** Returns the state for the dispatcher, with a new sequence number. */
  state(environmentKey: string): EnvironmentState {
    this.#seq += 1;
    return { environmentKey, seq: this.#seq, ready: this.ready, weight: this.#settings.weight };
  }

  /** Returns what the limits kept here mean for a queue. Reads only. */
  limitsOf(
    queue: string,
    limits: string[],
    concurrencyKey: string,
  ): Pick<QueueHold, "paused" | "environment" | "queue" | "shared" | "limits"> {
    const { concurrencyLimit, paused } = this.#settings;
    const flow = this.registry.flow(queue);
    let running = 0;
    for (const { state } of flow?.partitions.values() ?? []) running += state.held;
    return {
      paused,
      environment: { running: this.held, limit: slotLimit(this.#settings), free: this.#free },
      queue: { running, limit: concurrencyLimit },
      shared: flow?.isSplit ? { running, ...flow.sharedLimits(this.#now()) } : null,
      limits: limits.flatMap((name) => {
        const [state, key] = [this.named.state(name), this.named.keyState(name, concurrencyKey)];
        return state && key ? [{ ...state, key }] : [];
      }),
    };
  }

  updateSettings(environment: EnvironmentRef, changes: Partial<EnvironmentSettings>): EnvironmentSettings {
    const settings = withChanges(this.#settings, changes);
    this.#sql.transaction(() => {
      this.#meta.set("environment", environment);
      saveSettings(this.#meta, settings);
    });
    this.#settings = settings;
    this.named.changed();
    for (const flow of this.registry.flows) this.#turn(flow);
    return settings;
  }

  /** Read from storage each time. */
  get currentDeployment(): CurrentDeployment | null {
    const promotion = loadPromotion(this.#meta);
    if (!promotion) return null;
    const { queueSizeLimit } = this.#settings;
    return { ...promotion, queueSizeLimit, partitions: this.changes.partitions };
  }

  /** Makes a deployment the current one. The caller has to inform all queues and call `limitsChanged`. */
  promote(environment: EnvironmentRef, promoted: PromotedDeployment): void {
    this.#sql.transaction(() => {
      this.#meta.set("environment", environment);
      savePromotion(this.#meta, promoted);
      this.announcements.add(this.registry.allQueues().map((queue) => queue.queueKey));
    });
  }

  /** Applies limits that a deployment or a change through the API may have altered. */
  limitsChanged(): void {
    this.named.changed();
    for (const flow of this.registry.flows) this.#applyLimits(flow);
  }

  /** Applies a change of a named limit by the API. */
  changeLimit(name: string, change: LimitChange): "ok" | "not_found" | "too_many_keys" {
    const result = this.named.change(name, change);
    this.#turnLimited();
    return result;
  }

  /**
   * Applies changes that a queue's first partition reported. Returns true if they are new: the other
   * partitions must then be informed.
   */
  applyChanges(state: QueueState): boolean {
    if (!this.changes.apply(state)) return false;
    const flow = this.registry.flow(state.queue);
    if (flow) this.#applyLimits(flow);
    return true;
  }

  /**
   * Applies a state that a queue reported. An older one than the known one changes nothing. Prefetched permits are used with a
   * new sequence number and given back without one, so of two states with the same number, the one with fewer permits is
   * the later.
   */
  applyState(state: QueueState): void {
    const partition = this.registry.partitions.get(state.queueKey) ?? this.#add(state);
    const { seq, prefetched, keys } = partition.state;
    const isNewer = state.prefetched < prefetched || (state.keys !== undefined && keys === undefined);
    if (state.seq < seq || (state.seq === seq && !isNewer)) return;
    this.#slots.reported(partition.state, state);
    const { flow } = partition;
    const hadMisplacedKeys = flow.hasMisplacedKeys;
    const { limits } = partition.state;
    partition.state = state;
    this.named.reported(limits, state.limits);
    flow.changed();
    if (flow.hasMisplacedKeys !== hadMisplacedKeys) this.#limits.apply(flow);
    flow.rate?.atLeast(state.recoversAt);
    this.registry.used(partition);
    if (!flow.isLimited) this.#limited.delete(flow);
    else this.#limited.add(flow);
    if (limits && !state.limits) this.#turnLimited();
    this.#turnWithOthers(flow);
  }

  /** Permits for up to `max` runs, fair over the queues. Each must be answered or reported lost. */
  grant(max: number): Grant[] {
    if (this.#settings.paused) return [];
    this.refill();
    const grants: Grant[] = [];
    for (const [queue, count] of this.#turns.take(Math.min(max, this.#free))) {
      const flow = this.registry.flow(queue) as QueueFlow;
      const own = flow.take(count, this.#now());
      for (const grant of own) this.#slots.sent(grant.max);
      grants.push(...own);
      this.#limits.saveRate(flow);
      if (flow.isSplit) this.#turn(flow);
      if (own.some(({ limits }) => limits !== undefined)) {
        this.#limited.delete(flow);
        this.#limited.add(flow);
      }
    }
    // What is granted of named limits is not available to other queues.
    this.#turnLimited();
    // When nobody else waits, queues get prefetched permits too. Whether the host can take more shows when it
    // gets some runs.
    if (this.#turns.ready === 0) for (const grant of grants) this.#addPrefetched(grant);
    return grants;
  }

  #addPrefetched(grant: Grant): void {
    const flow = this.#flowOf(grant);
    const { all, unkeyed } = flow.free;
    const prefetched = Math.min(MAX_PREFETCHED, Math.floor(Math.min(this.#free, all) / PREFETCH_SHARE));
    flow.addPrefetched(grant, prefetched, Math.floor(unkeyed / PREFETCH_SHARE), this.#now());
    this.#slots.sent(grant.prefetched);
  }

  /**
   * Applies a grant's answer: the queue's state after it, and how many runs it leased and started. `refused`: it did not look
   * for any, because it knows later settings.
   */
  granted(
    grant: Grant,
    state: QueueState,
    { leased, started, refused = false }: { leased: number; started: number; refused?: boolean },
  ): void {
    const flow = this.#flowOf(grant);
    // A report of another partition may meanwhile have freed a slot of a key that the grant counted as held.
    const isCurrent = grant.shared?.elsewhere === undefined || flow.isUnchangedSince(grant);
    this.#settle(grant, started);
    this.applyState(state);
    if (leased === 0 && !refused && isCurrent) flow.wasFruitless(grant);
    this.#turnWithOthers(flow);
  }

  /** Begins a new epoch after a grant's answer was lost. The permits count until the queue has accepted that epoch. */
  grantLost(): number {
    this.#epoch += 1;
    this.#meta.set("epoch", this.#epoch);
    return this.#epoch;
  }

  /** Frees the permits of a lost grant: the queue has accepted a newer epoch. Null: the queue doesn't exist. */
  recovered(grant: Grant, state: QueueState | null): void {
    this.#settle(grant, null);
    if (state) this.applyState(state);
    this.#turnWithOthers(this.#flowOf(grant));
  }

  /** Returns when the rate of a split queue allows more starts; null if no rate holds anything back. */
  get refillAt(): number | null {
    let first: number | null = null;
    for (const queue of this.#limits.rated) {
      const at = this.registry.flow(queue)?.refillAt(this.#now()) ?? null;
      if (at !== null && (first === null || at < first)) first = at;
    }
    return first;
  }

  /** Marks runs as ready that rates, and the expiry of overrides, allow by now. */
  refill(): void {
    for (const queue of this.#limits.rated) {
      const flow = this.registry.flow(queue);
      if (flow) this.#turn(flow);
    }
    const { expiresAt } = this.named;
    if (expiresAt === null || expiresAt > this.#now()) return;
    this.named.expire();
    this.#turnLimited();
  }

  #add(state: QueueState): Partition {
    const partition = this.registry.add(state);
    this.#limits.apply(partition.flow);
    return partition;
  }

  #applyLimits(flow: QueueFlow): void {
    this.#limits.apply(flow);
    this.#turn(flow);
  }

  #settle(grant: Grant, started: number | null): void {
    this.#flowOf(grant).settle(grant, started, this.#now());
    this.#slots.settled(grant);
    this.named.settled(grant.limits);
  }

  #flowOf({ queueKey }: Grant): QueueFlow {
    return (this.registry.partitions.get(queueKey) as Partition).flow;
  }

  /** Sets how many runs of the queue are ready. To be called after each change of the queue or of its limits. */
  #turn(flow: QueueFlow): void {
    this.#turns.set(flow.queue, flow.ready(this.#settings.concurrencyLimit, this.#now()));
  }

  /**
   * Does the same for the queues that share named limits, in the order in which they are to get their turns.
   */
  #turnLimited(): void {
    for (const flow of this.#limited) this.#turn(flow);
  }

  /** Does the same for a queue and, if it holds named limits, for the queues that share them. */
  #turnWithOthers(flow: QueueFlow): void {
    if (this.#limited.has(flow)) this.#turnLimited();
    else this.#turn(flow);
  }
}
