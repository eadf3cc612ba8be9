import type { Sql } from "../lib/sql.ts";
import type { QueueState } from "../queue/rpc.ts";
import type { NamedLimits } from "./named-limits.ts";
import { type Partition, QueueFlow } from "./queue-flow.ts";

/** A queue that held nothing for this long is not asked for its state after a restart. */
const IDLE_AFTER_MS = 60_000;

/**
 * The queues of an environment and their partitions. Memory has those that have reported to this life of the
 * object; the table `queues` has all that ever had a run. A partition is, at any moment,
 *
 * - **unknown**: it has no row, because it has not reported yet, or never had a run;
 * - **inactive**: it has a row, and held nothing and had no work for a while;
 * - **active**: it may hold slots or have work, so this object asks it for its state after a restart.
 *
 * `used` and `retireIdle` are the only places where that changes. `used` makes a partition active before anything is
 * granted to it, because a restart would otherwise forget the grant.
 */
export class QueueRegistry {
  readonly #sql: Sql;
  readonly #now: () => number;
  readonly #named: NamedLimits;
  /** By queue name. */
  readonly #flows = new Map<string, QueueFlow>();
  /** By queue key. */
  readonly #partitions = new Map<string, Partition>();

  constructor(sql: Sql, now: () => number, named: NamedLimits) {
    this.#sql = sql;
    this.#now = now;
    this.#named = named;
  }

  get flows(): Iterable<QueueFlow> {
    return this.#flows.values();
  }

  get partitions(): ReadonlyMap<string, Partition> {
    return this.#partitions;
  }

  /** Returns the queue with this name, if it has reported to this life of the object. */
  flow(queue: string): QueueFlow | undefined {
    return this.#flows.get(queue);
  }

  /** Adds a partition that reports to this life of the object for the first time, with an empty state. */
  add(state: QueueState): Partition {
    const { queue, queueKey } = state;
    let flow = this.#flows.get(queue);
    if (!flow) {
      flow = new QueueFlow(queue, this.#named);
      this.#flows.set(queue, flow);
    }
    const partition: Partition = {
      flow,
      state: {
        ...state,
        held: 0,
        prefetched: 0,
        ready: 0,
        unkeyed: { held: 0, prefetched: 0, ready: 0 },
        keyed: 0,
        open: 0,
        limits: undefined,
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
    return partition;
  }

  /** Makes a partition known or active, as the state that it has just reported requires. */
  used(entry: Partition): void {
    const { queueKey, queue, partition, held, ready, prefetched, seq } = entry.state;
    if (held > 0 || ready > 0 || prefetched > 0) {
      entry.usedAt = this.#now();
      if (entry.active) return;
      this.#sql.exec(
        `INSERT INTO queues (queue_key, queue, partition, active) VALUES (?, ?, ?, 1)
         ON CONFLICT (queue_key) DO UPDATE SET active = 1`,
        queueKey,
        queue,
        partition,
      );
      entry.active = true;
    } else if (seq > 0 && !entry.active && entry.usedAt === 0) {
      this.#sql.exec(
        "INSERT INTO queues (queue_key, queue, partition) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        queueKey,
        queue,
        partition,
      );
    }
  }

  /** Makes partitions inactive that were idle for a while. Returns true when some are still active. */
  retireIdle(): boolean {
    let active = false;
    for (const [queueKey, entry] of this.#partitions) {
      if (!entry.active) continue;
      const idle =
        entry.state.held === 0 &&
        entry.state.ready === 0 &&
        entry.state.prefetched === 0 &&
        entry.inflight.all === 0 &&
        this.isUnused(entry);
      if (!idle) {
        active = true;
        continue;
      }
      entry.active = false;
      this.#sql.exec("UPDATE queues SET active = 0 WHERE queue_key = ?", queueKey);
    }
    return active;
  }

  /** Returns whether a partition has held, wanted and been granted nothing for a while. */
  isUnused({ usedAt }: Partition): boolean {
    return usedAt < this.#now() - IDLE_AFTER_MS;
  }

  /** Returns the keys of partitions that may hold slots or have work from before this object started. */
  queuesToSync(): string[] {
    return this.#sql
      .exec<{ queue_key: string }>("SELECT queue_key FROM queues WHERE active = 1")
      .map((row) => row.queue_key);
  }

  /** Returns the name of a queue that has reported. */
  nameOf(queueKey: string): string | undefined {
    return this.#sql.exec<{ queue: string }>("SELECT queue FROM queues WHERE queue_key = ?", queueKey)[0]
      ?.queue;
  }

  /** Returns the partitions of a queue that have reported, by number. */
  partitionsOf(queue: string): number[] {
    return this.#sql
      .exec<{ partition: number }>("SELECT partition FROM queues WHERE queue = ? ORDER BY partition", queue)
      .map((row) => row.partition);
  }

  /** Returns the keys of the other partitions of the queue that have reported. */
  siblingsOf({ queue, queueKey }: Pick<QueueState, "queue" | "queueKey">): string[] {
    return this.#sql
      .exec<{ key: string }>(
        "SELECT queue_key AS key FROM queues WHERE queue = ? AND queue_key <> ?",
        queue,
        queueKey,
      )
      .map(({ key }) => key);
  }

  /** Returns the keys of partitions that have reported, in their order. */
  keysAfter(after: string, limit: number): string[] {
    return this.#sql
      .exec<{ key: string }>(
        "SELECT queue_key AS key FROM queues WHERE queue_key > ? ORDER BY queue_key LIMIT ? + 0",
        after,
        limit,
      )
      .map(({ key }) => key);
  }

  allQueues(): { queueKey: string; queue: string }[] {
    return this.#sql.exec<{ queueKey: string; queue: string }>(
      "SELECT queue_key AS queueKey, queue FROM queues",
    );
  }
}
