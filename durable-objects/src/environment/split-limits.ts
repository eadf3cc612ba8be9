import type { Sql } from "../lib/sql.ts";
import type { QueueDeclaration } from "../queue/rpc.ts";
import { effectiveSettings } from "../routing/settings.ts";
import type { QueueFlow } from "./queue-flow.ts";
import type { ReportedChanges } from "./reported-changes.ts";
import { SharedRate, type StoredRate } from "./shared-rate.ts";

interface Sources {
  sql: Sql;
  now: () => number;
  /** Returns what the current deployment declares about a queue. */
  declared: (queue: string) => QueueDeclaration;
  changes: ReportedChanges;
}

/**
 * The limits that the environment keeps for queues: those of split queues, which no single partition can keep. The limits of
 * a queue are, at any moment,
 *
 * - **kept by its partition**: it has only one, and no stored rate;
 * - **shared**: the queue is split, so its flow keeps the limits of its slots;
 * - **shared with a rate**: its flow also has a rate, which is stored, so that starts still count after this object restarts.
 *
 * `apply` is the only place where a flow gets limits or a rate, or loses its rate.
 */
export class SplitLimits {
  readonly #sql: Sql;
  readonly #now: () => number;
  readonly #declared: (queue: string) => QueueDeclaration;
  readonly #changes: ReportedChanges;
  /** By queue name. */
  readonly #rates: Map<string, StoredRate>;

  constructor({ sql, now, declared, changes }: Sources) {
    this.#sql = sql;
    this.#now = now;
    this.#declared = declared;
    this.#changes = changes;
    this.#rates = new Map(
      sql
        .exec<{ queue: string; recoversAt: number; reserved: number }>(
          "SELECT queue, recovers_at AS recoversAt, reserved FROM rates",
        )
        .map(({ queue, ...rate }) => [queue, rate]),
    );
  }

  /** Names of the queues that have or had a rate here. */
  get rated(): Iterable<string> {
    return this.#rates.keys();
  }

  /** Applies the current limits to a queue. To be called when they, or whether the queue is split, may have changed. */
  apply(flow: QueueFlow): void {
    const { queue } = flow;
    const stored = this.#rates.get(queue);
    flow.revision = this.#changes.revisionOf(queue);
    if (!flow.isSplit && !stored) return;
    const declared = this.#declared(queue);
    const { overrides = {}, paused = false } = this.#changes.of(queue) ?? {};
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
      this.saveRate(flow);
    }
  }

  /** Stores the rate of a queue, if it has one. To be called after each grant, which reserves starts. */
  saveRate({ queue, rate }: QueueFlow): void {
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
}
