/**
 * Deficit round robin over flows (environments, queues, concurrency keys): each turn a flow earns credit by
 * its weight and spends it on what it has ready. A flow that runs empty leaves the ring and forfeits its
 * credit, so no flow saves credit while idle. The cost of a pick is proportional to what it hands out,
 * regardless of the number of flows and the length of their backlogs.
 */
interface Flow {
  weight: number;
  ready: number;
  credit: number;
}

export class DeficitRoundRobin {
  /** Flows with something ready, in turn order (a Map keeps insertion order); the first one has the turn. */
  readonly #ring = new Map<string, Flow>();
  #ready = 0;

  /** Sum of what all flows have ready. */
  get ready(): number {
    return this.#ready;
  }

  /** Flows with something ready. */
  get size(): number {
    return this.#ring.size;
  }

  /** What a flow has ready. */
  of(key: string): number {
    return this.#ring.get(key)?.ready ?? 0;
  }

  keys(): IterableIterator<string> {
    return this.#ring.keys();
  }

  /** Sets what a flow has ready (0 takes it out) and its weight (> 0; handed out in proportion). */
  set(key: string, ready: number, weight = 1): void {
    const flow = this.#ring.get(key);
    if (ready <= 0) {
      if (flow) {
        this.#ready -= flow.ready;
        this.#ring.delete(key);
      }
      return;
    }
    if (flow) {
      this.#ready += ready - flow.ready;
      flow.ready = ready;
      flow.weight = weight;
    } else {
      this.#ready += ready;
      this.#ring.set(key, { weight, ready, credit: 0 });
    }
  }

  /** Hands out up to `max`: how much each flow may take now. What is handed out no longer counts as ready. */
  take(max: number): Map<string, number> {
    const taken = new Map<string, number>();
    let left = Math.min(max, this.#ready);
    while (left > 0) {
      const [key, flow] = this.#ring.entries().next().value as [string, Flow];
      const alone = this.#ring.size === 1;
      if (alone) flow.credit = 0;
      else if (flow.credit < 1) flow.credit += flow.weight;
      // A flow that is alone takes everything without credit. Credit saved up now would be spent while a newcomer waits.
      const count = Math.min(alone ? left : Math.floor(flow.credit), flow.ready, left);
      if (count > 0) {
        taken.set(key, (taken.get(key) ?? 0) + count);
        flow.ready -= count;
        if (!alone) flow.credit -= count;
        this.#ready -= count;
        left -= count;
      }
      if (flow.ready === 0) this.#ring.delete(key);
      else if (flow.credit < 1) {
        this.#ring.delete(key);
        this.#ring.set(key, flow);
      }
    }
    return taken;
  }
}
