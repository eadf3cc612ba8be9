import { DEFAULTS } from "@acme/sdk/contract";
import { DeficitRoundRobin } from "../lib/drr.ts";
import { Meta, migrate, type Sql } from "../lib/sql.ts";
import type { QueueChanges, QueueDeclaration, QueueState } from "../queue/rpc.ts";
import type { EnvironmentRef } from "../routing/refs.ts";
import { effectiveSettings } from "../routing/settings.ts";
import { type Grant, type Partition, QueueFlow } from "./queue-flow.ts";
import type {
  CurrentDeployment,
  EnvironmentSettings,
  EnvironmentState,
  PromotedDeployment,
  QueueHold,
} from "./rpc.ts";
import { ENVIRONMENT_MIGRATIONS } from "./schema.ts";
import { SharedRate, type StoredRate } from "./shared-rate.ts";

/** Most prefetched permits of a queue. */
const MAX_PREFETCHED = 8;
/** One queue gets at most one in this many of the free slots as prefetched permits. */
const PREFETCH_SHARE = 4;

const DEFAULT_SETTINGS: EnvironmentSettings = {
  concurrencyLimit: DEFAULTS.environmentConcurrency,
  burstFactor: 1,
  weight: 1,
  queueSizeLimit: null,
  paused: false,
};

/** A queue that held nothing for this long is not asked for its state after a restart. */
const IDLE_AFTER_MS = 60_000;

/**
 * The decisions of an environment: which queue may lease how many runs, under the environment's limit.
 *
 * A queue is the authority on the slots that it holds. The environment keeps the latest state that each queue reported, by
 * sequence number, and adds the permits of unanswered grants. The sum never undercounts: a grant counts in full from before
 * it is sent until its answer, which carries the state after it. A grant whose answer was lost counts until the queue has
 * accepted a higher epoch, after which the lost grant can't take effect any more.
 */
export class EnvironmentCore {
  readonly #sql: Sql;
  readonly #meta: Meta;
  readonly #now: () => number;
  /** What the current deployment declares of a queue. */
  readonly #declared: (queue: string) => QueueDeclaration;
  /** By queue name. */
  readonly #flows = new Map<string, QueueFlow>();
  /** By queue key. */
  readonly #partitions = new Map<string, Partition>();
  /** Rates of queues that are split, as an earlier life of this object left them. */
  readonly #rates: Map<string, StoredRate>;
  readonly #turns = new DeficitRoundRobin();
  /** Slots that queues hold. */
  #held = 0;
  /** Prefetched permits of all queues. */
  #prefetched = 0;
  #inflight = 0;
  #settings: EnvironmentSettings;
  #seq: number;
  #epoch: number;
  /** By queue name. */
  readonly #changes: Map<string, QueueChanges>;
  /** Counts the additions to the list of queues to inform. */
  #toInformNumber = 0;

  constructor(sql: Sql, now: () => number, declared: (queue: string) => QueueDeclaration) {
    this.#sql = sql;
    this.#now = now;
    this.#declared = declared;
    migrate(sql, ENVIRONMENT_MIGRATIONS);
    this.#meta = new Meta(sql);
    this.#settings = { ...DEFAULT_SETTINGS, ...this.#meta.get<Partial<EnvironmentSettings>>("settings") };
    // One write per start. Queues that learn of the new epoch refuse grants of earlier lives of this object, and states of
    // those lives count as older.
    this.#epoch = (this.#meta.get<number>("epoch") ?? 0) + 1;
    this.#meta.set("epoch", this.#epoch);
    this.#seq = this.#epoch * 2 ** 30;
    this.#changes = new Map(
      sql
        .exec<{ queue: string; changes: string }>("SELECT queue, changes FROM changes")
        .map(({ queue, changes }) => [queue, JSON.parse(changes) as QueueChanges]),
    );
    this.#rates = new Map(
      sql
        .exec<{ queue: string; recoversAt: number; reserved: number }>(
          "SELECT queue, recovers_at AS recoversAt, reserved FROM rates",
        )
        .map(({ queue, ...rate }) => [queue, rate]),
    );
  }

  /** The environment; null: nobody has named it yet. */
  get environment(): EnvironmentRef | null {
    return this.#meta.get<EnvironmentRef>("environment");
  }

  get key(): string | null {
    return this.#meta.get<EnvironmentRef>("environment")?.key ?? this.#meta.get<string>("key");
  }

  get epoch(): number {
    return this.#epoch;
  }

  get settings(): EnvironmentSettings {
    return this.#settings;
  }

  get held(): number {
    return this.#held;
  }

  /** Runs that could be dequeued now under this environment's limit. */
  get ready(): number {
    return this.#settings.paused ? 0 : Math.min(this.#turns.ready, this.#free);
  }

  /** Slots of all queues together: the limit with its burst. */
  get #free(): number {
    const taken = this.#held + this.#prefetched + this.#inflight;
    const { concurrencyLimit, burstFactor } = this.#settings;
    return Math.max(0, Math.floor(concurrencyLimit * burstFactor) - taken);
  }

  state(environmentKey: string): EnvironmentState {
    this.#seq += 1;
    return { environmentKey, seq: this.#seq, ready: this.ready, weight: this.#settings.weight };
  }

  /** What the limits kept here say of a queue. Reads only. */
  limitsOf(queue: string): Pick<QueueHold, "paused" | "environment" | "queue" | "shared"> {
    const { concurrencyLimit, burstFactor, paused } = this.#settings;
    const flow = this.#flows.get(queue);
    let running = 0;
    for (const { state } of flow?.partitions.values() ?? []) running += state.held;
    return {
      paused,
      environment: {
        running: this.#held,
        limit: Math.floor(concurrencyLimit * burstFactor),
        free: this.#free,
      },
      queue: { running, limit: concurrencyLimit },
      shared: flow?.isSplit ? { running, ...flow.sharedLimits(this.#now()) } : null,
    };
  }

  /** Queues that may hold slots or have work from before this object started. They are asked before anything is granted. */
  queuesToSync(): string[] {
    return this.#sql
      .exec<{ queue_key: string }>("SELECT queue_key FROM queues WHERE active = 1")
      .map((row) => row.queue_key);
  }

  /** The name of a queue that has reported. */
  nameOf(queueKey: string): string | undefined {
    return this.#sql.exec<{ queue: string }>("SELECT queue FROM queues WHERE queue_key = ?", queueKey)[0]
      ?.queue;
  }

  /** The partitions of a queue that have reported. */
  partitionsOf(queue: string): number[] {
    return this.#sql
      .exec<{ partition: number }>("SELECT partition FROM queues WHERE queue = ? ORDER BY partition", queue)
      .map((row) => row.partition);
  }

  allQueues(): { queueKey: string; queue: string }[] {
    return this.#sql.exec<{ queueKey: string; queue: string }>(
      "SELECT queue_key AS queueKey, queue FROM queues",
    );
  }

  /**
   * Applies a state that a queue reported. An older one than the known one changes nothing. Prefetched permits are used with a
   * new sequence number and given back without one, so of two states with the same number, the one with fewer permits is
   * the later.
   */
  applyState(state: QueueState): void {
    const partition = this.#partitions.get(state.queueKey) ?? this.#add(state);
    const { seq, prefetched, keys } = partition.state;
    const isNewer = state.prefetched < prefetched || (state.keys !== undefined && keys === undefined);
    if (state.seq < seq || (state.seq === seq && !isNewer)) return;
    this.#held += state.held - partition.state.held;
    this.#prefetched += state.prefetched - partition.state.prefetched;
    const { flow } = partition;
    const hadMisplacedKeys = flow.hasMisplacedKeys;
    partition.state = state;
    flow.changed();
    if (flow.hasMisplacedKeys !== hadMisplacedKeys) this.#setLimits(flow);
    flow.rate?.atLeast(state.recoversAt);
    if (state.held > 0 || state.ready > 0 || state.prefetched > 0) {
      partition.usedAt = this.#now();
      if (!partition.active) this.#activate(state, partition);
    } else if (state.seq > 0 && !partition.active && partition.usedAt === 0) {
      this.#know(state);
    }
    this.#turn(partition.flow);
  }

  #add(state: QueueState): Partition {
    const { queue, queueKey } = state;
    let flow = this.#flows.get(queue);
    if (!flow) {
      flow = new QueueFlow(queue);
      this.#flows.set(queue, flow);
    }
    const partition: Partition = {
      flow,
      // The partition has reported nothing yet.
      state: {
        ...state,
        held: 0,
        prefetched: 0,
        ready: 0,
        unkeyed: { held: 0, prefetched: 0, ready: 0 },
        keyed: 0,
        misplacedKeys: false,
        keys: undefined,
        seq: -1,
      },
      inflight: { all: 0, unkeyed: 0 },
      active: false,
      usedAt: 0,
    };
    flow.partitions.set(queueKey, partition);
    this.#partitions.set(queueKey, partition);
    this.#setLimits(flow);
    return partition;
  }

  /** Applies limits that a deployment or a change through the API may have altered. */
  limitsChanged(): void {
    for (const flow of this.#flows.values()) {
      this.#setLimits(flow);
      this.#turn(flow);
    }
  }

  /** Sets the limits that are kept here: those of split queues. */
  #setLimits(flow: QueueFlow): void {
    const { queue } = flow;
    const stored = this.#rates.get(queue);
    flow.revision = this.revisionOf(queue);
    // A queue of one partition keeps its limits itself.
    if (!flow.isSplit && !stored) return;
    const declared = this.#declared(queue);
    const { overrides = {}, paused = false } = this.changesOf(queue) ?? {};
    const settings = effectiveSettings({ declared, overrides, paused });
    const { concurrencyLimit, totalConcurrencyLimit, rateLimit } = settings;
    flow.promotion = declared.promotion ?? 0;
    flow.count = settings.partitions ?? 1;
    flow.setLimits({
      all: totalConcurrencyLimit ?? Number.POSITIVE_INFINITY,
      unkeyed: concurrencyLimit ?? Number.POSITIVE_INFINITY,
    });
    if (!rateLimit) {
      flow.rate = null;
      return;
    }
    if (flow.rate) flow.rate.setLimit(rateLimit);
    else {
      flow.rate = new SharedRate(rateLimit, stored, this.#now());
      for (const { state } of flow.partitions.values()) flow.rate.atLeast(state.recoversAt);
      this.#saveRate(flow);
    }
  }

  /** Stores the rate, so that starts still count after this object restarts. */
  #saveRate({ queue, rate }: QueueFlow): void {
    if (!rate) return;
    const { stored } = rate;
    this.#rates.set(queue, stored);
    this.#sql.exec(
      `INSERT INTO rates (queue, recovers_at, reserved) VALUES (?, ?, ?)
       ON CONFLICT (queue) DO UPDATE SET recovers_at = excluded.recovers_at, reserved = excluded.reserved`,
      queue,
      stored.recoversAt,
      stored.reserved,
    );
  }

  /** Permits for up to `max` runs, fair over the queues. Each must be answered or reported lost. */
  grant(max: number): Grant[] {
    if (this.#settings.paused) return [];
    this.refill();
    const grants: Grant[] = [];
    for (const [queue, count] of this.#turns.take(Math.min(max, this.#free))) {
      const flow = this.#flows.get(queue) as QueueFlow;
      const own = flow.take(count, this.#now());
      for (const grant of own) this.#inflight += grant.max;
      grants.push(...own);
      this.#saveRate(flow);
      if (flow.isSplit) this.#turn(flow);
    }
    if (this.#turns.ready > 0) return grants;
    // Nobody else waits. Whether the host has room for more runs shows when it gets some.
    for (const grant of grants) {
      const { flow } = this.#partitions.get(grant.queueKey) as Partition;
      const { all, unkeyed } = flow.free;
      const prefetched = Math.min(MAX_PREFETCHED, Math.floor(Math.min(this.#free, all) / PREFETCH_SHARE));
      flow.addPrefetched(grant, prefetched, Math.floor(unkeyed / PREFETCH_SHARE), this.#now());
      this.#inflight += grant.prefetched;
    }
    return grants;
  }

  /** Queues whose prefetched permits others wait for: all with permits, or other partitions of these queues. */
  queuesToRevoke(queueKeys: Iterable<string> = this.#partitions.keys()): string[] {
    const others = this.#turns.ready > this.#free ? this.queuesWithPrefetched() : [];
    return [...others, ...this.prefetchedOfSiblings(queueKeys)];
  }

  /** Whether the partition must report which keys hold slots in it. */
  needsKeysOf(queueKey: string): boolean {
    const partition = this.#partitions.get(queueKey);
    return partition?.flow.needsKeysOf(partition) ?? false;
  }

  /** Partitions with prefetched permits that others of these queues wait for, or that must report what keys hold. */
  prefetchedOfSiblings(queueKeys: Iterable<string>): string[] {
    const flows = new Set<QueueFlow>();
    for (const queueKey of queueKeys) {
      const flow = this.#partitions.get(queueKey)?.flow;
      if (flow?.isSplit) flows.add(flow);
    }
    return [...flows].flatMap((flow) => flow.prefetchedToRevoke());
  }

  queuesWithPrefetched(): string[] {
    if (this.#prefetched === 0) return [];
    return [...this.#partitions]
      .filter(([, { state }]) => state.prefetched > 0)
      .map(([queueKey]) => queueKey);
  }

  /** Queues with prefetched permits that they have not used for a while. */
  queuesWithIdlePrefetched(): string[] {
    const before = this.#now() - IDLE_AFTER_MS;
    return this.queuesWithPrefetched().filter(
      (queueKey) => (this.#partitions.get(queueKey) as Partition).usedAt < before,
    );
  }

  /** When the rate of a split queue allows more starts; null: no rate holds anything back. */
  get refillAt(): number | null {
    let first: number | null = null;
    for (const queue of this.#rates.keys()) {
      const at = this.#flows.get(queue)?.refillAt(this.#now()) ?? null;
      if (at !== null && (first === null || at < first)) first = at;
    }
    return first;
  }

  /** Makes ready what rates allow by now. */
  refill(): void {
    for (const queue of this.#rates.keys()) {
      const flow = this.#flows.get(queue);
      if (flow) this.#turn(flow);
    }
  }

  /** Applies a grant's answer: the queue's state after it, and how many runs it leased and started. */
  granted(grant: Grant, state: QueueState, { leased, started }: { leased: number; started: number }): void {
    this.#settle(grant, started);
    this.applyState(state);
    const flow = this.#flowOf(grant);
    if (leased === 0) flow.wasFruitless(grant);
    this.#turn(flow);
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
    this.#turn(this.#flowOf(grant));
  }

  updateSettings(environment: EnvironmentRef, changes: Partial<EnvironmentSettings>): EnvironmentSettings {
    const given = Object.entries(changes).filter(([, value]) => value !== undefined);
    const settings = { ...this.#settings, ...Object.fromEntries(given) };
    this.#sql.transaction(() => {
      this.#meta.set("environment", environment);
      this.#meta.set("settings", settings);
    });
    this.#settings = settings;
    for (const flow of this.#flows.values()) this.#turn(flow);
    return settings;
  }

  get currentDeployment(): CurrentDeployment | null {
    const promoted = this.#meta.get<PromotedDeployment>("deployment");
    if (!promoted) return null;
    const promotion = this.#meta.get<number>("promotion") ?? 0;
    const partitions: Record<string, number> = {};
    for (const [queue, { overrides }] of this.#changes)
      if (overrides.partitions) partitions[queue] = overrides.partitions.value ?? 1;
    return { ...promoted, promotion, queueSizeLimit: this.#settings.queueSizeLimit, partitions };
  }

  promote(environment: EnvironmentRef, promoted: PromotedDeployment): void {
    this.#sql.transaction(() => {
      this.#meta.set("environment", environment);
      this.#meta.set("deployment", promoted);
      // The number lets queues recognize triggers that still use the declarations of an earlier promotion.
      this.#meta.set("promotion", (this.#meta.get<number>("promotion") ?? 0) + 1);
      this.#toInform(this.allQueues().map((queue) => queue.queueKey));
    });
  }

  /** The changes of a queue through the API, as its first partition reported them. */
  changesOf(queue: string): QueueChanges | undefined {
    return this.#changes.get(queue);
  }

  revisionOf(queue: string): number {
    return this.#changes.get(queue)?.revision ?? 0;
  }

  /** Applies changes that a queue's first partition reported. Returns true when they are new: other partitions are to be informed. */
  applyChanges({ queue, queueKey, changes }: QueueState): boolean {
    if (!changes || changes.revision <= this.revisionOf(queue)) return false;
    this.#sql.transaction(() => {
      this.#sql.exec(
        `INSERT INTO changes (queue, changes) VALUES (?, ?)
         ON CONFLICT (queue) DO UPDATE SET changes = excluded.changes`,
        queue,
        JSON.stringify(changes),
      );
      const others = this.#sql.exec<{ key: string }>(
        "SELECT queue_key AS key FROM queues WHERE queue = ? AND queue_key <> ?",
        queue,
        queueKey,
      );
      if (others.length > 0) this.#toInform(others.map(({ key }) => key));
    });
    this.#changes.set(queue, changes);
    const flow = this.#flows.get(queue);
    if (flow) {
      this.#setLimits(flow);
      this.#turn(flow);
    }
    return true;
  }

  /** Queues still to be informed of the current deployment or of changes. `asOf` is for `informedAll`. */
  queuesToInform(): { queues: string[]; asOf: number } {
    return { queues: this.#meta.get<string[]>("promoted") ?? [], asOf: this.#toInformNumber };
  }

  /** Clears the list of `queuesToInform`, unless it has grown since. */
  informedAll(asOf: number): void {
    if (asOf === this.#toInformNumber) this.#meta.set("promoted", []);
  }

  /** Adds queues to inform. The list is stored: if this object dies, its next life informs the rest. */
  #toInform(queueKeys: string[]): void {
    this.#toInformNumber += 1;
    this.#meta.set("promoted", [...new Set([...this.queuesToInform().queues, ...queueKeys])]);
  }

  /** Marks queues that were idle for a while as inactive. Returns true when some are still active. */
  retireIdle(): boolean {
    const before = this.#now() - IDLE_AFTER_MS;
    let active = false;
    for (const [queueKey, entry] of this.#partitions) {
      if (!entry.active) continue;
      const idle =
        entry.state.held === 0 &&
        entry.state.ready === 0 &&
        entry.state.prefetched === 0 &&
        entry.inflight.all === 0 &&
        entry.usedAt < before;
      if (!idle) {
        active = true;
        continue;
      }
      entry.active = false;
      this.#sql.exec("UPDATE queues SET active = 0 WHERE queue_key = ?", queueKey);
    }
    return active;
  }

  #activate({ queueKey, queue, partition }: QueueState, entry: Partition): void {
    this.#sql.exec(
      `INSERT INTO queues (queue_key, queue, partition, active) VALUES (?, ?, ?, 1)
       ON CONFLICT (queue_key) DO UPDATE SET active = 1`,
      queueKey,
      queue,
      partition,
    );
    entry.active = true;
  }

  #know({ queueKey, queue, partition }: QueueState): void {
    this.#sql.exec(
      "INSERT INTO queues (queue_key, queue, partition) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      queueKey,
      queue,
      partition,
    );
  }

  #settle(grant: Grant, started: number | null): void {
    this.#flowOf(grant).settle(grant, started, this.#now());
    this.#inflight -= grant.max + grant.prefetched;
  }

  #flowOf({ queueKey }: Grant): QueueFlow {
    return (this.#partitions.get(queueKey) as Partition).flow;
  }

  #turn(flow: QueueFlow): void {
    this.#turns.set(flow.queue, flow.ready(this.#settings.concurrencyLimit, this.#now()));
  }
}
