import type { DatabaseSync } from "node:sqlite";
import { ENVIRONMENT_KEY_LENGTH, type NamedLimitManifest } from "@acme/sdk/contract";
import { type HeldSlots, hasRuns } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** Slots held by name of a limit, and by name and key. */
type Held = Map<string, number>;

/**
 * Invariant 3: over all queues of an environment, never more runs hold a named limit than it allows, in total
 * and by key.
 */
export class NamedLimitSlots {
  readonly #violations: Violations;
  readonly #limits: ReadonlyMap<string, NamedLimitManifest>;
  /** By queue key. */
  readonly #held = new Map<string, Held>();
  /** By environment key. */
  readonly #environments = new Map<string, Held>();
  /** The maximum number of slots of one limit that were held at once. */
  #most = 0;

  constructor(violations: Violations, limits: readonly NamedLimitManifest[]) {
    this.#violations = violations;
    this.#limits = new Map(limits.map((limit) => [limit.name, limit]));
  }

  get most(): number {
    return this.#most;
  }

  written(queueKey: string, slots: readonly HeldSlots[]): void {
    const held: Held = new Map();
    const add = (counted: string, n: number) => held.set(counted, (held.get(counted) ?? 0) + n);
    for (const { limits, key, n } of slots) {
      if (limits === "") continue;
      for (const name of limits.split(",")) {
        add(name, n);
        add(`${name} ${key}`, n);
      }
    }
    const before = this.#held.get(queueKey) ?? new Map<string, number>();
    this.#held.set(queueKey, held);
    const environment = queueKey.slice(0, ENVIRONMENT_KEY_LENGTH);
    const sums = this.#environments.get(environment) ?? new Map<string, number>();
    this.#environments.set(environment, sums);
    for (const counted of new Set([...before.keys(), ...held.keys()])) {
      const n = (sums.get(counted) ?? 0) + (held.get(counted) ?? 0) - (before.get(counted) ?? 0);
      sums.set(counted, n);
      this.#check(environment, counted, n);
    }
  }

  #check(environment: string, counted: string, n: number): void {
    const [name = "", ...key] = counted.split(" ");
    const { total, perKey } = this.#limits.get(name) ?? {};
    const most = key.length === 0 ? total : perKey;
    if (key.length === 0) this.#most = Math.max(this.#most, n);
    if (most === undefined || n <= most) return;
    this.#violations.report(
      3,
      `environment ${environment}: limit '${counted}' is held by ${n} runs of ${most}`,
    );
  }

  /** All runs have ended: the counters that limits are checked against must be gone. */
  atEnd(databases: Map<string, DatabaseSync>): void {
    for (const [queueKey, database] of databases) {
      if (!hasRuns(database)) continue;
      const lanes = database.prepare("SELECT * FROM lanes").all();
      if (lanes.length > 0)
        this.#violations.report(3, `queue ${queueKey} is empty and counts ${JSON.stringify(lanes)}`);
    }
  }
}
