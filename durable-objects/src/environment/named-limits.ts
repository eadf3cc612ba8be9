import type { NamedLimitManifest } from "@acme/sdk/contract";
import type { Sql } from "../lib/sql.ts";
import type { LimitedUse, LimitLeft, LimitsGrant, QueueState } from "../queue/rpc.ts";
import { limitNamesOf } from "../routing/limit-sets.ts";
import type { LimitBound, LimitChange, LimitKeyState, LimitState } from "./rpc.ts";

/** Changes of a limit through the API. */
interface Changes {
  perKey?: { value: number; at: number };
  total?: { value: number; at: number };
  paused: boolean;
}

interface KeyOverride {
  perKey: number;
  expiresAt: number;
}

/** The part of a grant that concerns named limits. */
export interface LimitsOfGrant {
  limits?: LimitsGrant;
  /** False: some limit is left out because another grant offers it. */
  complete?: boolean;
  /** The version of the limits that it was made with. */
  version?: number;
}

/** How much of a limit is in use, over all queues. */
interface Use {
  held: number;
  queued: number;
  keys: Map<string, number>;
}

interface Sources {
  sql: Sql;
  now: () => number;
  /** The limits that the current deployment declares, by name. */
  declared: () => ReadonlyMap<string, NamedLimitManifest>;
  /** The environment's limit without its burst, which no named limit exceeds. */
  environmentLimit: () => number;
}

/** The maximum number of keys of one limit that have an override at a time. */
export const MAX_KEY_OVERRIDES = 1_000;

const UNUSED: Use = { held: 0, queued: 0, keys: new Map() };

/**
 * The concurrency limits with names, which runs of several queues hold. A queue reports how many slots its runs hold of each
 * limit, and starts such a run only by a grant that says how much is left. A limit is, at any moment,
 *
 * - **free**: what the queues reported is all that is held of it;
 * - **granted**: one grant that has not been settled offers what is left of it, so nobody else is offered any.
 *
 * `grant` makes limits granted, and `settled` makes them free again, once the queue's state in the answer counts or the
 * grant can no longer take effect. So a limit is never exceeded, and what is left of it never has to be divided.
 */
export class NamedLimits {
  readonly #sources: Sources;
  readonly #changes = new Map<string, Changes>();
  readonly #keyOverrides = new Map<string, Map<string, KeyOverride>>();
  readonly #uses = new Map<string, Use>();
  /** The grant that each granted limit is part of. */
  readonly #granted = new Map<string, LimitsGrant>();
  #version = 0;

  constructor(sources: Sources) {
    this.#sources = sources;
    const { sql } = sources;
    for (const { name, changes } of sql.exec<{ name: string; changes: string }>(
      "SELECT name, changes FROM limits",
    ))
      this.#changes.set(name, JSON.parse(changes) as Changes);
    const keys = sql.exec<{ name: string; key: string; perKey: number; expiresAt: number }>(
      "SELECT name, key, per_key AS perKey, expires_at AS expiresAt FROM limit_keys",
    );
    for (const { name, key, ...override } of keys) this.#keysOf(name).set(key, override);
  }

  /** Grows whenever a limit may allow more than before, other than because a grant was settled. */
  get version(): number {
    return this.#version;
  }

  /** Names of the limits that are declared, changed or in use, in alphabetical order. */
  get names(): string[] {
    const declared = this.#sources.declared().keys();
    return [...new Set([...declared, ...this.#changes.keys(), ...this.#uses.keys()])].sort();
  }

  /** Applies what a queue reports now instead of what it reported before. */
  reported(before: QueueState["limits"] = {}, now: QueueState["limits"] = {}): void {
    for (const [set, use] of Object.entries(before)) this.#count(set, use, -1);
    for (const [set, use] of Object.entries(now)) this.#count(set, use, 1);
    for (const [set, use] of Object.entries(before)) {
      const held = now[set]?.keys ?? {};
      if (Object.entries(use.keys).some(([key, slots]) => (held[key] ?? 0) < slots)) this.#version += 1;
      for (const name of limitNamesOf(set)) {
        const sum = this.#uses.get(name);
        if (sum?.held === 0 && sum.queued === 0) this.#uses.delete(name);
      }
    }
  }

  /** To be called when a deployment or the environment's limit may have changed what limits allow. */
  changed(): void {
    this.#version += 1;
  }

  /** How many runs with these limits may be granted now, apart from the limits of their keys. */
  available(set: string): number {
    return Math.min(...limitNamesOf(set).map((name) => this.#leftOf(name)));
  }

  /** A grant to a queue: what is left of the limits that its ready runs hold. Empty: they hold none. */
  grant({ limits }: QueueState): LimitsOfGrant {
    if (!limits) return {};
    const ready = Object.entries(limits).filter(([, use]) => use.ready > 0);
    const grant: LimitsGrant = {};
    let complete = true;
    for (const name of new Set(ready.flatMap(([set]) => limitNamesOf(set)))) {
      if (this.#granted.has(name)) complete = false;
      if (this.#leftOf(name) === 0) continue;
      grant[name] = this.#left(name);
      this.#granted.set(name, grant);
    }
    return { limits: grant, complete, version: this.#version };
  }

  settled(grant: LimitsGrant | undefined): void {
    for (const name of Object.keys(grant ?? {}))
      if (this.#granted.get(name) === grant) this.#granted.delete(name);
  }

  /** Null: there is no limit with this name. */
  state(name: string): LimitState | null {
    if (!this.#exists(name)) return null;
    const { held, queued } = this.#uses.get(name) ?? UNUSED;
    return {
      name,
      perKey: this.#bound(name, "perKey"),
      total: this.#bound(name, "total"),
      running: held,
      queued,
      paused: this.#changes.get(name)?.paused ?? false,
    };
  }

  keyState(name: string, key: string): LimitKeyState | null {
    if (!this.#exists(name)) return null;
    const override = this.#keyOverride(name, key);
    const base = this.#bound(name, "perKey").current;
    return {
      name,
      concurrencyKey: key,
      perKey: {
        current: override ? this.#clamped(override.perKey) : base,
        base,
        override: override?.perKey ?? null,
        expiresAt: override?.expiresAt ?? null,
      },
      running: this.#uses.get(name)?.keys.get(key) ?? 0,
      paused: this.#changes.get(name)?.paused ?? false,
    };
  }

  /** Applies a change by the API. */
  change(name: string, change: LimitChange): "ok" | "not_found" | "too_many_keys" {
    if (!this.#exists(name)) return "not_found";
    const { sql, now } = this.#sources;
    const at = now();
    if (change.type === "override-key" || change.type === "reset-key") {
      const keys = this.#keysOf(name);
      const { key } = change;
      if (change.type === "reset-key") {
        keys.delete(key);
        sql.exec("DELETE FROM limit_keys WHERE name = ? AND key = ?", name, key);
      } else {
        this.expire();
        if (!keys.has(key) && keys.size >= MAX_KEY_OVERRIDES) return "too_many_keys";
        const { perKey, ttlMs } = change;
        keys.set(key, { perKey, expiresAt: at + ttlMs });
        sql.exec(
          `INSERT INTO limit_keys (name, key, per_key, expires_at) VALUES (?, ?, ?, ?)
           ON CONFLICT (name, key) DO UPDATE SET per_key = excluded.per_key, expires_at = excluded.expires_at`,
          name,
          key,
          perKey,
          at + ttlMs,
        );
      }
    } else {
      const next = changedBy(this.#changes.get(name) ?? { paused: false }, change, at);
      this.#changes.set(name, next);
      sql.exec(
        "INSERT INTO limits (name, changes) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET changes = excluded.changes",
        name,
        JSON.stringify(next),
      );
    }
    this.#version += 1;
    return "ok";
  }

  /** Forgets overrides of keys that have expired. */
  expire(): void {
    const { sql, now } = this.#sources;
    const at = now();
    for (const [name, keys] of this.#keyOverrides)
      for (const [key, { expiresAt }] of keys) {
        if (expiresAt > at) continue;
        keys.delete(key);
        sql.exec("DELETE FROM limit_keys WHERE name = ? AND key = ?", name, key);
        this.#version += 1;
      }
  }

  /** Returns when the next override of a key expires; null if none expires. */
  get expiresAt(): number | null {
    let first: number | null = null;
    for (const keys of this.#keyOverrides.values())
      for (const { expiresAt } of keys.values()) if (first === null || expiresAt < first) first = expiresAt;
    return first;
  }

  #exists(name: string): boolean {
    return this.#sources.declared().has(name) || this.#changes.has(name) || this.#uses.has(name);
  }

  #keysOf(name: string): Map<string, KeyOverride> {
    const keys = this.#keyOverrides.get(name) ?? new Map<string, KeyOverride>();
    this.#keyOverrides.set(name, keys);
    return keys;
  }

  #keyOverride(name: string, key: string): KeyOverride | undefined {
    const override = this.#keyOverrides.get(name)?.get(key);
    return override && override.expiresAt > this.#sources.now() ? override : undefined;
  }

  #count(set: string, use: LimitedUse, sign: 1 | -1): void {
    for (const name of limitNamesOf(set)) {
      let sum = this.#uses.get(name);
      if (!sum) {
        sum = { held: 0, queued: 0, keys: new Map() };
        this.#uses.set(name, sum);
      }
      sum.held += sign * use.held;
      sum.queued += sign * use.queued;
      for (const [key, held] of Object.entries(use.keys)) {
        const left = (sum.keys.get(key) ?? 0) + sign * held;
        if (left === 0) sum.keys.delete(key);
        else sum.keys.set(key, left);
      }
    }
  }

  /** How many runs may be granted of a limit now, apart from its keys. */
  #leftOf(name: string): number {
    if (this.#granted.has(name) || this.#changes.get(name)?.paused) return 0;
    const { current } = this.#bound(name, "total");
    if (current === null) return Number.POSITIVE_INFINITY;
    return Math.max(0, current - (this.#uses.get(name)?.held ?? 0));
  }

  #left(name: string): LimitLeft {
    const free = this.#leftOf(name);
    const perKey = this.#bound(name, "perKey").current;
    const held = this.#uses.get(name)?.keys ?? UNUSED.keys;
    const keys: Record<string, number> = {};
    for (const key of new Set([...held.keys(), ...(this.#keyOverrides.get(name)?.keys() ?? [])])) {
      const override = this.#keyOverride(name, key);
      const bound = override ? this.#clamped(override.perKey) : perKey;
      if (bound !== null) keys[key] = Math.max(0, bound - (held.get(key) ?? 0));
    }
    return { free: free === Number.POSITIVE_INFINITY ? null : free, perKey, keys };
  }

  #bound(name: string, which: "perKey" | "total"): LimitBound {
    const base = this.#sources.declared().get(name)?.[which] ?? null;
    const override = this.#changes.get(name)?.[which];
    const bound = override ? override.value : base;
    return {
      current: bound === null ? null : this.#clamped(bound),
      base,
      override: override?.value ?? null,
      overriddenAt: override?.at ?? null,
    };
  }

  #clamped(bound: number): number {
    return Math.min(bound, this.#sources.environmentLimit());
  }
}

function changedBy(changes: Changes, change: Exclude<LimitChange, { key: string }>, at: number): Changes {
  switch (change.type) {
    case "pause":
      return { ...changes, paused: change.paused };
    case "reset":
      return { paused: changes.paused };
    case "override": {
      const { perKey, total } = change;
      return {
        ...changes,
        ...(perKey === undefined ? {} : { perKey: { value: perKey, at } }),
        ...(total === undefined ? {} : { total: { value: total, at } }),
      };
    }
  }
}
