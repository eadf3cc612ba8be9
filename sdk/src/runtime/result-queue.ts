import type { JournalEntry } from "../contract/journal.ts";
import { ReplayOrder } from "./replay-order.ts";

/**
 * A replay that has a result to hand out, but whose code does not start what it started before, is given this
 * long.
 */
const STALL_MS = 10_000;

/** Numbers of the operations whose results can be handed out, in the order in which that has to happen. */
export class ResultQueue {
  readonly #order: ReplayOrder;
  /** In the order in which they became ready. */
  readonly #ready = new Set<number>();
  #stall: ReturnType<typeof setTimeout> | undefined;

  /** `entries`: the journal that the attempt is resumed with. */
  constructor(entries: Iterable<JournalEntry>) {
    this.#order = new ReplayOrder(entries);
  }

  /** True until everything that the journal has was done again. */
  get replaying(): boolean {
    return !this.#order.done;
  }

  add(number: number): void {
    this.#ready.add(number);
  }

  /**
   * Removes and returns the number of the next one; undefined if none can be handed out now. `calls`: how
   * many operations were started so far. `stalled` is called if a replay gets stuck: if its code does not do
   * what it did before.
   */
  next(calls: number, stalled: () => void): number | undefined {
    clearTimeout(this.#stall);
    const next = this.#order.next(calls, (number) => this.#ready.has(number));
    const number = next === "any" ? this.#ready.values().next().value : next === "none" ? undefined : next;
    if (number !== undefined) this.#ready.delete(number);
    else if (this.#ready.size > 0) {
      this.#stall = setTimeout(() => {
        this.#order.skip();
        stalled();
      }, STALL_MS);
    }
    return number;
  }

  /** Hands out nothing any more. */
  clear(): void {
    clearTimeout(this.#stall);
    this.#ready.clear();
  }
}
