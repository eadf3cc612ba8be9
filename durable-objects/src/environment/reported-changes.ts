import type { Sql } from "../lib/sql.ts";
import type { QueueChanges, QueueState } from "../queue/rpc.ts";
import type { Announcements } from "./announcements.ts";
import type { QueueRegistry } from "./queue-registry.ts";

/** The changes of queues through the API, as the first partition of each queue reported them. Only `apply` changes them. */
export class ReportedChanges {
  readonly #sql: Sql;
  readonly #registry: QueueRegistry;
  readonly #announcements: Announcements;
  /** By queue name. */
  readonly #changes: Map<string, QueueChanges>;

  constructor(sql: Sql, registry: QueueRegistry, announcements: Announcements) {
    this.#sql = sql;
    this.#registry = registry;
    this.#announcements = announcements;
    this.#changes = new Map(
      sql
        .exec<{ queue: string; changes: string }>("SELECT queue, changes FROM changes")
        .map(({ queue, changes }) => [queue, JSON.parse(changes) as QueueChanges]),
    );
  }

  of(queue: string): QueueChanges | undefined {
    return this.#changes.get(queue);
  }

  /** Returns the number of changes of the queue; 0 if there are none. */
  revisionOf(queue: string): number {
    return this.#changes.get(queue)?.revision ?? 0;
  }

  /** Returns the numbers of partitions that were set through the API, by queue name. */
  get partitions(): Record<string, number> {
    const partitions: Record<string, number> = {};
    for (const [queue, { overrides }] of this.#changes)
      if (overrides.partitions) partitions[queue] = overrides.partitions.value ?? 1;
    return partitions;
  }

  /**
   * Stores changes that a state contains. Returns true if they are new: the other partitions must then be
   * informed.
   */
  apply({ queue, queueKey, changes }: QueueState): boolean {
    if (!changes || changes.revision <= this.revisionOf(queue)) return false;
    this.#sql.transaction(() => {
      this.#sql.exec(
        `INSERT INTO changes (queue, changes) VALUES (?, ?)
         ON CONFLICT (queue) DO UPDATE SET changes = excluded.changes`,
        queue,
        JSON.stringify(changes),
      );
      const others = this.#registry.siblingsOf({ queue, queueKey });
      if (others.length > 0) this.#announcements.add(others);
    });
    this.#changes.set(queue, changes);
    return true;
  }
}
