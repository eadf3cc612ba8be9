import { DEFAULTS } from "@acme/sdk/contract";
import { DeficitRoundRobin } from "../drr.ts";
import type {
  CurrentDeployment,
  EnvironmentRef,
  EnvironmentSettings,
  EnvironmentState,
  PromotedDeployment,
  QueueChanges,
  QueueState,
} from "../rpc.ts";
import { Meta, migrate, type Sql } from "../sql.ts";
import { ENVIRONMENT_MIGRATIONS } from "./schema.ts";

interface QueueEntry {
  state: QueueState;
  /** Permits in grants that have not been answered. */
  inflight: number;
  active: boolean;
  /** When it last held, wanted or was granted anything. */
  usedAt: number;
}

export interface Grant {
  queueKey: string;
  max: number;
  /** Permits in advance, see the queue's `Standing`. */
  standing: number;
}

/** Most permits a queue gets in advance. */
const STANDING = 8;
/** Of the slots that are free, at most one in so many is given in advance to one queue. */
const STANDING_SHARE = 4;

const DEFAULT_SETTINGS: EnvironmentSettings = {
  concurrencyLimit: DEFAULTS.environmentConcurrency,
  burstFactor: 1,
  weight: 1,
  queueSizeLimit: null,
  paused: false,
};

/** A queue that held nothing for this long is no longer asked after a restart. */
const IDLE_AFTER_MS = 60_000;

/**
 * The decisions of an environment: which queue may hand out how many runs, under the environment's limit.
 *
 * How many slots a queue holds is the queue's own truth; here are the last states it told, by sequence number, plus the
 * permits of grants still unanswered. The sum never undercounts: a grant counts in full from before it is sent until
 * its answer, which carries the state after it. A grant whose answer was lost counts until the queue has accepted a
 * higher epoch, after which the lost one can't take effect any more.
 */
export class EnvironmentCore {
  readonly #sql: Sql;
  readonly #meta: Meta;
  readonly #now: () => number;
  readonly #queues = new Map<string, QueueEntry>();
  readonly #turns = new DeficitRoundRobin();
  /** Slots that queues hold. */
  #held = 0;
  /** Permits that queues have in advance. */
  #standing = 0;
  #inflight = 0;
  #settings: EnvironmentSettings;
  #seq: number;
  #epoch: number;
  /** By queue name. */
  readonly #changes: Map<string, QueueChanges>;
  /** Grows as queues are to be told something. */
  #toTellNumber = 0;

  constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    migrate(sql, ENVIRONMENT_MIGRATIONS);
    this.#meta = new Meta(sql);
    this.#settings = { ...DEFAULT_SETTINGS, ...this.#meta.get<Partial<EnvironmentSettings>>("settings") };
    // One write a start: what an earlier life of this object granted is refused by the queues that hear of this one,
    // and its states are older than ours.
    this.#epoch = (this.#meta.get<number>("epoch") ?? 0) + 1;
    this.#meta.set("epoch", this.#epoch);
    this.#seq = this.#epoch * 2 ** 30;
    this.#changes = new Map(
      sql
        .exec<{ queue: string; changes: string }>("SELECT queue, changes FROM changes")
        .map(({ queue, changes }) => [queue, JSON.parse(changes) as QueueChanges]),
    );
  }

  /** Who this is; null: nobody has said so yet. */
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
    const taken = this.#held + this.#standing + this.#inflight;
    const { concurrencyLimit, burstFactor } = this.#settings;
    return Math.max(0, Math.floor(concurrencyLimit * burstFactor) - taken);
  }

  /** Slots that one queue may still take: none ever uses the burst. */
  #freeOf({ state, inflight }: QueueEntry): number {
    return Math.max(0, this.#settings.concurrencyLimit - state.held - state.standing - inflight);
  }

  state(environmentKey: string): EnvironmentState {
    this.#seq += 1;
    return { environmentKey, seq: this.#seq, ready: this.ready, weight: this.#settings.weight };
  }

  /** Queues that may hold slots or have work from before this object started: to be asked before anything is granted. */
  queuesToSync(): string[] {
    return this.#sql
      .exec<{ queue_key: string }>("SELECT queue_key FROM queues WHERE active = 1")
      .map((row) => row.queue_key);
  }

  /** The name of a queue that was heard of. */
  nameOf(queueKey: string): string | undefined {
    return this.#sql.exec<{ queue: string }>("SELECT queue FROM queues WHERE queue_key = ?", queueKey)[0]
      ?.queue;
  }

  /** Partitions of a queue that were heard of. */
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
   * A queue told its state. An older one than known changes nothing. Permits in advance are used up with a new number, and
   * given back without one: of two states with the same number, the one with less of them is the later.
   */
  applyState(state: QueueState): void {
    let entry = this.#queues.get(state.queueKey);
    if (!entry) {
      entry = {
        state: { ...state, held: 0, standing: 0, ready: 0, seq: -1 },
        inflight: 0,
        active: false,
        usedAt: 0,
      };
      this.#queues.set(state.queueKey, entry);
    }
    const { seq, standing } = entry.state;
    if (state.seq < seq || (state.seq === seq && state.standing >= standing)) return;
    this.#held += state.held - entry.state.held;
    this.#standing += state.standing - entry.state.standing;
    entry.state = state;
    if (state.held > 0 || state.ready > 0 || state.standing > 0) {
      entry.usedAt = this.#now();
      if (!entry.active) this.#activate(state, entry);
    } else if (state.seq > 0 && !entry.active && entry.usedAt === 0) {
      this.#know(state);
    }
    this.#turn(state.queueKey, entry);
  }

  /** Permits for up to `max` runs, fair over the queues. Each must be answered or reported lost. */
  grant(max: number): Grant[] {
    if (this.#settings.paused) return [];
    const grants: Grant[] = [];
    for (const [queueKey, count] of this.#turns.take(Math.min(max, this.#free))) {
      grants.push({ queueKey, max: count, standing: 0 });
      this.#reserve(queueKey, count);
    }
    if (this.#turns.ready > 0) return grants;
    // Nobody else waits. Whether the host has room for more shows when it is given something.
    for (const grant of grants) {
      const free = Math.min(this.#free, this.#freeOf(this.#queues.get(grant.queueKey) as QueueEntry));
      grant.standing = Math.min(STANDING, Math.floor(free / STANDING_SHARE));
      this.#reserve(grant.queueKey, grant.standing);
    }
    return grants;
  }

  #reserve(queueKey: string, count: number): void {
    const entry = this.#queues.get(queueKey) as QueueEntry;
    entry.inflight += count;
    entry.usedAt = this.#now();
    this.#inflight += count;
  }

  /** Queues whose permits in advance others wait for. */
  queuesToRevoke(): string[] {
    if (this.#turns.ready <= this.#free) return [];
    return this.queuesWithStanding();
  }

  queuesWithStanding(): string[] {
    if (this.#standing === 0) return [];
    return [...this.#queues].filter(([, { state }]) => state.standing > 0).map(([queueKey]) => queueKey);
  }

  /** Queues with permits that they have not used for a while. */
  queuesWithIdleStanding(): string[] {
    const before = this.#now() - IDLE_AFTER_MS;
    return this.queuesWithStanding().filter(
      (queueKey) => (this.#queues.get(queueKey) as QueueEntry).usedAt < before,
    );
  }

  /** A grant's answer: the queue's state after it. */
  granted(grant: Grant, state: QueueState): void {
    this.#settle(grant);
    this.applyState(state);
    this.#turn(grant.queueKey, this.#queues.get(grant.queueKey) as QueueEntry);
  }

  /** A grant's answer was lost: its permits stay taken until the queue has accepted the epoch returned here. */
  grantLost(): number {
    this.#epoch += 1;
    this.#meta.set("epoch", this.#epoch);
    return this.#epoch;
  }

  /** The queue accepted a newer epoch after `grant` was lost; null: the queue doesn't exist. */
  recovered(grant: Grant, state: QueueState | null): void {
    this.#settle(grant);
    if (state) this.applyState(state);
    this.#turn(grant.queueKey, this.#queues.get(grant.queueKey) as QueueEntry);
  }

  updateSettings(environment: EnvironmentRef, changes: Partial<EnvironmentSettings>): EnvironmentSettings {
    const given = Object.entries(changes).filter(([, value]) => value !== undefined);
    const settings = { ...this.#settings, ...Object.fromEntries(given) };
    this.#sql.transaction(() => {
      this.#meta.set("environment", environment);
      this.#meta.set("settings", settings);
    });
    this.#settings = settings;
    for (const [queueKey, entry] of this.#queues) this.#turn(queueKey, entry);
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
      // Whoever triggers with what an earlier promotion declared is behind: the queues can tell.
      this.#meta.set("promotion", (this.#meta.get<number>("promotion") ?? 0) + 1);
      this.#toTell(this.allQueues().map((queue) => queue.queueKey));
    });
  }

  /** What was changed through the API of a queue, as its first partition told it. */
  changesOf(queue: string): QueueChanges | undefined {
    return this.#changes.get(queue);
  }

  revisionOf(queue: string): number {
    return this.#changes.get(queue)?.revision ?? 0;
  }

  /** A queue's first partition told what was changed. True: it was not known, and the other partitions are to be told. */
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
      if (others.length > 0) this.#toTell(others.map(({ key }) => key));
    });
    this.#changes.set(queue, changes);
    return true;
  }

  /** Queues still to be told of the current deployment, or of changes. `asOf`: for when they have been. */
  queuesToTell(): { queues: string[]; asOf: number } {
    return { queues: this.#meta.get<string[]>("promoted") ?? [], asOf: this.#toTellNumber };
  }

  /** Those of `queuesToTell` know, unless there have been more since. */
  toldAll(asOf: number): void {
    if (asOf === this.#toTellNumber) this.#meta.set("promoted", []);
  }

  /** Queues are told one by one; those left when this object dies are told by its next life. */
  #toTell(queueKeys: string[]): void {
    this.#toTellNumber += 1;
    this.#meta.set("promoted", [...new Set([...this.queuesToTell().queues, ...queueKeys])]);
  }

  /** Forgets as active the queues that have been idle. True: some are still active. */
  retireIdle(): boolean {
    const before = this.#now() - IDLE_AFTER_MS;
    let active = false;
    for (const [queueKey, entry] of this.#queues) {
      if (!entry.active) continue;
      const idle =
        entry.state.held === 0 &&
        entry.state.ready === 0 &&
        entry.state.standing === 0 &&
        entry.inflight === 0 &&
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

  #activate({ queueKey, queue, partition }: QueueState, entry: QueueEntry): void {
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

  #settle(grant: Grant): void {
    const entry = this.#queues.get(grant.queueKey) as QueueEntry;
    entry.inflight -= grant.max + grant.standing;
    this.#inflight -= grant.max + grant.standing;
  }

  #turn(queueKey: string, entry: QueueEntry): void {
    const ready = Math.min(entry.state.ready - entry.inflight, this.#freeOf(entry));
    this.#turns.set(queueKey, Math.max(0, ready));
  }
}
