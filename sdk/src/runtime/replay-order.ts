import type { JournalEntry } from "../contract/journal.ts";

type Event = { called: number } | { delivered: number };

/**
 * The order in which a run's code started operations and got their results, as its journal says. A replay hands results
 * out in that order: what goes on side by side then starts its operations as before, whichever result is there first.
 */
export class ReplayOrder {
  readonly #events: Event[] = [];
  #next = 0;

  constructor(entries: Iterable<JournalEntry>) {
    for (const { number, values } of [...entries].sort((a, b) => a.number - b.number)) {
      // Of an entry that only its claim made known, nothing can be said.
      if (!values) continue;
      for (const delivered of values.after ?? []) this.#events.push({ delivered });
      this.#events.push({ called: number });
    }
  }

  /**
   * The result to hand out next: a number; "any": the journal has nothing more to say; "none": something else has to
   * happen first. `calls`: operations that were started so far.
   */
  next(calls: number, isReady: (number: number) => boolean): number | "any" | "none" {
    for (; this.#next < this.#events.length; this.#next++) {
      const event = this.#events[this.#next] as Event;
      if ("delivered" in event) {
        if (!isReady(event.delivered)) return "none";
        this.#next++;
        return event.delivered;
      }
      if (calls <= event.called) return "none";
    }
    return "any";
  }

  /** Gives up on what the code should do next: it does not. */
  skip(): void {
    this.#next++;
  }

  get done(): boolean {
    return this.#next >= this.#events.length;
  }
}
