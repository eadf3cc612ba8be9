import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ENVIRONMENT_KEY_LENGTH, type QueueLimits, RunStatus } from "@acme/sdk/contract";
import { hasRuns, type RunChange } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

const HELD = "SELECT concurrency_key AS key, count(*) AS n FROM runs WHERE slot = 1 GROUP BY concurrency_key";

/** Invariant 3: never more slots held than a queue's key and the environment may have, and none by a suspended run. */
export class Slots {
  readonly #violations: Violations;
  /** By queue key. */
  readonly #limits: ReadonlyMap<string, QueueLimits>;
  readonly #environmentLimit: number;
  readonly #held = new Map<string, number>();
  readonly #environments = new Map<string, number>();
  readonly #statements = new Map<string, StatementSync>();

  constructor(violations: Violations, limits: ReadonlyMap<string, QueueLimits>, environmentLimit: number) {
    this.#violations = violations;
    this.#limits = limits;
    this.#environmentLimit = environmentLimit;
  }

  changed({ after }: RunChange): void {
    if (after.status === RunStatus.WAITING_ON_WAITPOINT && after.slot !== 0)
      this.#violations.report(3, `${after.id} is suspended and holds a slot`);
  }

  /** Counts the rows themselves: the counters are what is checked. */
  written(queueKey: string, database: DatabaseSync): void {
    const limits = this.#limits.get(queueKey);
    const limit = limits?.concurrencyLimit ?? Number.POSITIVE_INFINITY;
    const total = limits?.totalConcurrencyLimit ?? Number.POSITIVE_INFINITY;
    const statement = this.#statements.get(queueKey) ?? database.prepare(HELD);
    this.#statements.set(queueKey, statement);
    const rows = statement.all() as { key: string; n: number }[];
    let held = 0;
    for (const { key, n } of rows) {
      held += n;
      if (n > limit)
        this.#violations.report(3, `key '${key}' of queue ${queueKey} holds ${n} of ${limit} slots`);
    }
    if (held > total) this.#violations.report(3, `queue ${queueKey} holds ${held} of ${total} slots`);
    const environment = queueKey.slice(0, ENVIRONMENT_KEY_LENGTH);
    const all = (this.#environments.get(environment) ?? 0) + held - (this.#held.get(queueKey) ?? 0);
    this.#held.set(queueKey, held);
    this.#environments.set(environment, all);
    if (all > this.#environmentLimit)
      this.#violations.report(
        3,
        `environment ${environment} holds ${all} of ${this.#environmentLimit} slots`,
      );
  }

  /** All is over: the counters that limits are checked against say so too. */
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
