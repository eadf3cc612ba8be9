import type { QueueFlow } from "./queue-flow.ts";
import type { QueueRegistry } from "./queue-registry.ts";
import type { SlotAccount } from "./slot-account.ts";

/** Decides which queues must return prefetched permits. Only reads. */
export class Revocations {
  readonly #registry: QueueRegistry;
  readonly #slots: SlotAccount;
  /** Returns whether more runs are ready than there are free slots. */
  readonly #isShort: () => boolean;

  constructor(registry: QueueRegistry, slots: SlotAccount, isShort: () => boolean) {
    this.#registry = registry;
    this.#slots = slots;
    this.#isShort = isShort;
  }

  /** Queues whose prefetched permits others wait for: all with permits, or other partitions of these queues. */
  due(queueKeys: Iterable<string> = this.#registry.partitions.keys()): string[] {
    const others = this.#isShort() ? this.allPrefetched() : [];
    return [...others, ...this.ofSiblings(queueKeys)];
  }

  /** Partitions with prefetched permits that others of these queues wait for, or that must report what keys hold. */
  ofSiblings(queueKeys: Iterable<string>): string[] {
    const flows = new Set<QueueFlow>();
    for (const queueKey of queueKeys) {
      const flow = this.#registry.partitions.get(queueKey)?.flow;
      if (flow?.isSplit) flows.add(flow);
    }
    return [...flows].flatMap((flow) => flow.prefetchedToRevoke());
  }

  /** All queues with prefetched permits. */
  allPrefetched(): string[] {
    if (this.#slots.prefetched === 0) return [];
    return [...this.#registry.partitions]
      .filter(([, { state }]) => state.prefetched > 0)
      .map(([queueKey]) => queueKey);
  }

  /** Queues with prefetched permits that they have not used for a while. */
  idlePrefetched(): string[] {
    return this.allPrefetched().filter((queueKey) => {
      const partition = this.#registry.partitions.get(queueKey);
      return partition !== undefined && this.#registry.isUnused(partition);
    });
  }

  /** Whether the partition must report which keys hold slots in it. */
  needsKeysOf(queueKey: string): boolean {
    const partition = this.#registry.partitions.get(queueKey);
    return partition?.flow.needsKeysOf(partition) ?? false;
  }
}
