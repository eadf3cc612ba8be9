import { DEFAULTS } from "@acme/sdk/contract";
import { hasTables, Meta, migrate, type Sql } from "../lib/sql.ts";
import { partitionOf } from "../routing/partitions.ts";
import type { QueueRef } from "../routing/refs.ts";
import {
  adopt,
  change,
  changesOf,
  declare,
  effectiveSettings,
  initialSettings,
  type StoredSettings,
} from "../routing/settings.ts";
import { type Effects, noEffects, type QueueContext, type QueueTimeouts } from "./context.ts";
import { KeyCounters } from "./counters.ts";
import { QueueMetrics } from "./metrics.ts";
import { hasParked, loadUnknownTasks } from "./parked-runs.ts";
import { PrefetchedPermits } from "./prefetched-permits.ts";
import { projectionCursor } from "./projection.ts";
import type { DequeueGrant, QueueChange, QueueChanges, QueueDeclaration, QueueState } from "./rpc.ts";
import { QUEUE_MIGRATIONS } from "./schema.ts";
import { loadSettings, saveSettings } from "./stored-settings.ts";

export const QUEUE_TIMEOUTS: QueueTimeouts = {
  dequeuedLeaseMs: DEFAULTS.dequeuedLeaseMs,
  executingLeaseMs: DEFAULTS.executingLeaseMs,
  cancelLeaseMs: 60_000,
  maxHostLosses: DEFAULTS.maxHostLosses,
  retentionMs: DEFAULTS.retentionMs,
};

/** What the core gets from outside. */
export interface QueueCoreOptions {
  sql: Sql;
  now: () => number;
  random: () => number;
  timeouts?: Partial<QueueTimeouts>;
}

/**
 * The decisions of one queue over its SQLite database: no I/O, no clock and no randomness of its own.
 * Everything that changes it happens inside `commit`, which is one transaction and returns the remaining work
 * as effects.
 */
export class QueueCore {
  readonly #options: QueueCoreOptions;
  readonly prefetched = new PrefetchedPermits();
  /** True: the environment asked for the slots that each concurrency key holds. */
  reportsKeys = false;
  #context: QueueContext | null = null;
  #epoch = 0;

  constructor(options: QueueCoreOptions) {
    this.#options = options;
    if (hasTables(options.sql)) this.#open();
  }

  /** Returns whether the queue exists: something was triggered in it, or its settings were changed. */
  get exists(): boolean {
    return this.#context !== null;
  }

  /** Returns the open queue. Throws if `exists` is false. */
  get context(): QueueContext {
    if (!this.#context) throw new Error("The queue object was asked before anything was triggered in it");
    return this.#context;
  }

  /** Creates the queue's tables at its first trigger. */
  create(ref: QueueRef, declaration: QueueDeclaration): void {
    const { sql } = this.#options;
    migrate(sql, QUEUE_MIGRATIONS);
    sql.transaction(() => {
      const meta = new Meta(sql);
      meta.set("ref", ref);
      saveSettings(meta, initialSettings(declaration));
    });
    this.#open();
  }

  /** Runs `work` in one transaction, with everything it changed under one version. Nothing is kept if it throws. */
  commit<T>(work: (q: QueueContext) => T): { result: T; effects: Effects } {
    const q = this.context;
    q.now = this.#options.now();
    q.version += 1;
    q.effects = noEffects();
    try {
      const result = q.sql.transaction(() => {
        if (q.counters.tick(q.now)) this.#stateChanged(q);
        const value = work(q);
        q.counters.save(q.sql);
        if (q.effects.changed) {
          const { pending: queued, running } = q.counters;
          q.metrics.observe(q.now, { queued, running, ended: q.effects.finished.length });
        }
        return value;
      });
      q.effects.refillAt = q.settings.paused ? null : q.counters.refillAt;
      // Versions also number the states that the environment gets, so a version is only used if a row stores it.
      if (!q.effects.changed) q.version -= 1;
      return { result, effects: q.effects };
    } catch (error) {
      // Counters and version in memory are ahead of the storage, which was rolled back.
      this.#open();
      throw error;
    }
  }

  /** Returns whether other partitions of the queue may have runs. */
  get isSplit(): boolean {
    const { ref, stored } = this.context;
    return ref.partition > 0 || stored.wasSplit;
  }

  get state(): QueueState {
    const { ref, version, counters, settings, stored } = this.context;
    const prefetched = this.prefetched.left(counters.held);
    const { usable } = this;
    const ready = settings.paused ? 0 : Math.max(0, counters.ready - usable);
    const { open, limited } = counters.readyByKind;
    return {
      queueKey: ref.queueKey,
      queue: ref.queue,
      partition: ref.partition,
      seq: version,
      held: counters.running,
      prefetched: prefetched.all,
      ready,
      unkeyed: {
        held: counters.held.unkeyed,
        prefetched: prefetched.unkeyed,
        ready: open.unkeyed + limited.unkeyed,
      },
      keyed: open.keyed + limited.keyed,
      open: Math.min(ready, Math.max(0, open.unkeyed + open.keyed - usable)),
      limits: counters.limitedUse,
      recoversAt: settings.rateLimit ? counters.recoversAt : 0,
      partitions: settings.partitions ?? 1,
      misplacedKeys: counters.hasMisplacedKeys,
      keys: this.reportsKeys ? counters.heldByKey : undefined,
      parked: hasParked(this.context),
      promotion: stored.declared.promotion ?? 0,
      revision: stored.revision,
      changes: ref.partition === 0 ? changesOf(stored) : undefined,
    };
  }

  /**
   * Returns the number of prefetched permits for which there are runs. Runs with named limits need a grant
   * that counts those.
   */
  get usable(): number {
    const { counters } = this.context;
    // Only a grant says how much of a misplaced key's limit is left.
    if (counters.hasMisplacedKeys) return 0;
    const { all, unkeyed } = this.prefetched.left(counters.held);
    const { open } = counters.readyByKind;
    return Math.min(all, Math.min(unkeyed, open.unkeyed) + open.keyed);
  }

  /**
   * Returns whether the environment made a grant with older settings than this queue knows, so that it may
   * allow too much.
   */
  isOutdated({ shared }: DequeueGrant): boolean {
    const { stored, counters } = this.context;
    if (counters.hasMisplacedKeys && !shared?.elsewhere) return true;
    if (!shared) return false;
    return shared.revision < stored.revision || shared.promotion < (stored.declared.promotion ?? 0);
  }

  /** Returns false for an earlier epoch than the latest known one: grants of it are refused. */
  acceptEpoch(epoch: number): boolean {
    if (epoch < this.#epoch) return false;
    if (epoch > this.#epoch) {
      this.#epoch = epoch;
      this.prefetched.revoke();
      this.context.meta.set("epoch", epoch);
    }
    return true;
  }

  /** Adopts what the caller's deployment declares, unless the queue knows of a later one. */
  declare(declaration: QueueDeclaration): void {
    const next = declare(this.context.stored, declaration);
    if (next) this.#store(next);
  }

  /** Applies a change by the API. */
  change(changed: QueueChange): void {
    const q = this.context;
    this.#store(change(q.stored, changed, q.now));
  }

  /** Adopts the changes by the API that partition 0 keeps, unless the queue knows later ones. */
  adopt(changes: QueueChanges | undefined): void {
    const next = adopt(this.context.stored, changes);
    if (next) this.#store(next);
  }

  #store(stored: StoredSettings): void {
    const q = this.context;
    saveSettings(q.meta, stored);
    q.stored = stored;
    q.settings = effectiveSettings(stored);
    q.counters.setLimits(q.settings);
    setHome(q);
    this.#stateChanged(q);
  }

  /** Uses up the version without a row: it also numbers the states that the environment gets. */
  #stateChanged(q: QueueContext): void {
    q.meta.set("version", q.version);
    q.effects.changed = true;
  }

  #open(): void {
    const { sql, random, timeouts } = this.#options;
    migrate(sql, QUEUE_MIGRATIONS);
    const meta = new Meta(sql);
    const ref = meta.get<QueueRef>("ref");
    if (!ref) return;
    const now = this.#options.now();
    const stored = loadSettings(meta);
    const settings = effectiveSettings(stored);
    const counters = new KeyCounters(now);
    counters.load(sql);
    counters.setLimits(settings);
    const q: QueueContext = {
      sql,
      meta,
      counters,
      metrics: new QueueMetrics(sql),
      random,
      timeouts: { ...QUEUE_TIMEOUTS, ...timeouts },
      ref,
      stored,
      settings,
      unknownTasks: loadUnknownTasks(meta),
      deployments: new Map(),
      now,
      version: 0,
      effects: noEffects(),
      reporter: null,
    };
    const last =
      sql.exec<{ version: number | null }>("SELECT max(version) AS version FROM runs")[0]?.version ?? 0;
    q.version = Math.max(last, projectionCursor(q).version, meta.get<number>("version") ?? 0);
    this.#epoch = meta.get<number>("epoch") ?? 0;
    if (settings.rateLimit || settings.rateLimitPerKey) {
      // As time passed, more may have become ready without a change of any row. That state must count as newer.
      q.version += 1;
      meta.set("version", q.version);
    }
    setHome(q);
    this.#context = q;
  }
}

/** Sets which keys belong to this partition. That matters only while keys have a limit. */
function setHome({ counters, settings, stored, ref }: QueueContext): void {
  const matters = settings.concurrencyLimit !== null && (stored.wasSplit || ref.partition > 0);
  const partitions = settings.partitions ?? 1;
  counters.setHome(matters ? (key) => partitionOf(key, partitions) === ref.partition : null);
}
