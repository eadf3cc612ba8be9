import type { StatementSync } from "node:sqlite";
import { RunStatus } from "@acme/sdk/contract";
import type { RunChange, RunState } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** A window is evaluated once each sibling should have had this many turns. */
const TURNS = 20;
/** The minimum part of its fair share that a sibling must have had by then. */
const LEAST_SHARE = 0.7;

const FIRST_PENDING = `SELECT id, seq, order_at, version FROM runs
  WHERE status = 'PENDING' AND concurrency_key = ? AND limits = ? ORDER BY order_at, seq LIMIT 1`;

type FirstPending = Pick<RunState, "id" | "seq" | "order_at" | "version">;

interface Sibling {
  pending: number;
  /** Leases since the window began. */
  leased: number;
}

/**
 * Invariant 6, in scenarios where only the hosts' capacity is short: as long as all siblings (environments,
 * queues of an environment, keys of a queue) have a backlog, all get the same share. In all scenarios, the
 * oldest run of a key starts first.
 */
export class Fairness {
  readonly #violations: Violations;
  readonly #firstOf: (queueKey: string) => string;
  readonly #measuresShares: boolean;
  /** Siblings by parent. */
  readonly #groups = new Map<string, Map<string, Sibling>>();
  /** By queue key. */
  readonly #firstPending = new Map<string, StatementSync>();
  #windows = 0;

  /** `firstOf`: the queue that a partition belongs to. */
  constructor(violations: Violations, firstOf: (queueKey: string) => string, measuresShares: boolean) {
    this.#violations = violations;
    this.#firstOf = firstOf;
    this.#measuresShares = measuresShares;
  }

  /** The number of evaluated windows. */
  get windows(): number {
    return this.#windows;
  }

  changed(change: RunChange): void {
    const { before, after } = change;
    const leased = after.status === RunStatus.DEQUEUED && before?.token !== after.token;
    if (leased) this.#checkOrder(change);
    if (!this.#measuresShares) return;
    const pending = Number(after.status === RunStatus.PENDING) - Number(before?.status === RunStatus.PENDING);
    const { environmentKey, queueKey } = change;
    this.#count("all environments", environmentKey, pending, leased);
    this.#count(`environment ${environmentKey}`, this.#firstOf(queueKey), pending, leased);
    this.#count(`queue ${queueKey}`, after.concurrency_key, pending, leased);
  }

  #count(parent: string, name: string, pending: number, leased: boolean): void {
    const siblings = this.#groups.get(parent) ?? new Map<string, Sibling>();
    this.#groups.set(parent, siblings);
    const sibling = siblings.get(name) ?? { pending: 0, leased: 0 };
    siblings.set(name, sibling);
    sibling.pending += pending;
    if (leased) sibling.leased += 1;
  }

  /** To be called after each step. */
  check(): void {
    for (const [parent, siblings] of this.#groups) {
      if (siblings.size < 2) continue;
      const all = [...siblings.values()];
      const total = all.reduce((sum, sibling) => sum + sibling.leased, 0);
      // A flow without a backlog has no claim, so the window restarts.
      if (all.some((sibling) => sibling.pending === 0)) for (const sibling of all) sibling.leased = 0;
      else if (total >= TURNS * siblings.size) {
        this.#windows += 1;
        const fair = total / siblings.size;
        for (const [name, { leased }] of siblings) {
          if (leased < fair * LEAST_SHARE)
            this.#violations.report(
              6,
              `of ${parent}, '${name}' got ${leased} of ${total} leases while all ${siblings.size} had a backlog`,
            );
        }
        for (const sibling of all) sibling.leased = 0;
      }
    }
  }

  /** Checks that no pending run of the same key and the same named limits was ahead of the leased run. */
  #checkOrder({ database, queueKey, after }: RunChange): void {
    const statement = this.#firstPending.get(queueKey) ?? database.prepare(FIRST_PENDING);
    this.#firstPending.set(queueKey, statement);
    const first = statement.get(after.concurrency_key, after.limits) as FirstPending | undefined;
    if (!first || first.version >= after.version) return;
    if (first.order_at < after.order_at || (first.order_at === after.order_at && first.seq < after.seq))
      this.#violations.report(6, `${after.id} of queue ${queueKey} was leased before ${first.id}`);
  }
}
