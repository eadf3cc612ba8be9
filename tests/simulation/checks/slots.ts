import type { DatabaseSync } from "node:sqlite";
import { ENVIRONMENT_KEY_LENGTH, type QueueLimits, RunStatus } from "@acme/sdk/contract";
import { type HeldSlots, hasRuns, type RunChange } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** Queues, and their limits over all partitions. */
export interface LimitedPlaces {
  /** By key of the first partition. */
  limits: ReadonlyMap<string, QueueLimits>;
  /** The first partition of the queue to which this partition belongs. */
  firstOf(queueKey: string): string;
}

interface Held {
  all: number;
  /** By concurrency key; '' is that of runs without one. */
  keys: Map<string, number>;
}

const nothing = (): Held => ({ all: 0, keys: new Map() });

/**
 * Invariant 3: the held slots never exceed the limits of a queue's key, a queue and the environment, however
 * many partitions hold them, and a suspended run holds none.
 */
export class Slots {
  readonly #violations: Violations;
  readonly #places: LimitedPlaces;
  readonly #environmentLimit: number;
  /** By partition. */
  readonly #held = new Map<string, Held>();
  /** By key of the first partition. */
  readonly #queues = new Map<string, Held>();
  readonly #environments = new Map<string, number>();

  constructor(violations: Violations, places: LimitedPlaces, environmentLimit: number) {
    this.#violations = violations;
    this.#places = places;
    this.#environmentLimit = environmentLimit;
  }

  changed({ after }: RunChange): void {
    if (after.status === RunStatus.WAITING_ON_WAITPOINT && after.slot !== 0)
      this.#violations.report(3, `${after.id} is suspended and holds a slot`);
  }

  written(queueKey: string, slots: readonly HeldSlots[]): void {
    const first = this.#places.firstOf(queueKey);
    const limits = this.#places.limits.get(first);
    const limit = limits?.concurrencyLimit ?? Number.POSITIVE_INFINITY;
    const total = limits?.totalConcurrencyLimit ?? Number.POSITIVE_INFINITY;
    const held: Held = nothing();
    for (const { key, n } of slots) {
      held.all += n;
      held.keys.set(key, (held.keys.get(key) ?? 0) + n);
    }
    const before = this.#held.get(queueKey) ?? nothing();
    this.#held.set(queueKey, held);
    const queue = this.#queues.get(first) ?? nothing();
    this.#queues.set(first, queue);
    queue.all += held.all - before.all;
    for (const key of new Set([...before.keys.keys(), ...held.keys.keys()])) {
      const n = (queue.keys.get(key) ?? 0) + (held.keys.get(key) ?? 0) - (before.keys.get(key) ?? 0);
      queue.keys.set(key, n);
      if (n > limit)
        this.#violations.report(3, `key '${key}' of queue ${first} holds ${n} of ${limit} slots`);
    }
    if (queue.all > total) this.#violations.report(3, `queue ${first} holds ${queue.all} of ${total} slots`);
    const environment = queueKey.slice(0, ENVIRONMENT_KEY_LENGTH);
    const all = (this.#environments.get(environment) ?? 0) + held.all - before.all;
    this.#environments.set(environment, all);
    if (all > this.#environmentLimit)
      this.#violations.report(
        3,
        `environment ${environment} holds ${all} of ${this.#environmentLimit} slots`,
      );
  }

  /** All runs have ended: the counters that limits are checked against must be zero. */
  atEnd(databases: Map<string, DatabaseSync>): void {
    for (const [queueKey, database] of databases) {
      if (!hasRuns(database)) continue;
      const counters = database
        .prepare("SELECT * FROM keys WHERE pending <> 0 OR running <> 0 OR later <> 0")
        .all();
      if (counters.length > 0)
        this.#violations.report(3, `queue ${queueKey} is empty and counts ${JSON.stringify(counters)}`);
    }
  }
}
