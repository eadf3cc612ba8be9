import type { JournalEntry } from "../contract/journal.ts";

type Event = { called: number } | { delivered: number };

/**
 * The order in which a run's code started operations and got their results, as its journal says. A replay
 * hands results out in that order: concurrent branches then start their operations as before, whichever
 * result is there first.
 */
export class ReplayOrder {
  readonly #events: Event[] = [];
  #next = 0;

  constructor(entries: Iterable<JournalEntry>) {
    // The journal says nothing about an entry that is known only because its operation was claimed.
    const known = [...entries].filter(({ values }) => values).sort((a, b) => a.number - b.number);
    for (const { number, values } of known) {
      for (const delivered of values?.after ?? []) this.#events.push({ delivered });
      this.#events.push({ called: number });
    }
    for (const delivered of known.at(-1)?.values?.tail?.after ?? []) this.#events.push({ delivered });
  }

  /**
   * Returns the number of the result to hand out next; "any" if the journal says nothing more; "none" if
   * something else has to happen first. `calls`: how many operations were started so far.
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

  /** Stops waiting for the operation that the code started next before, because it does not start it now. */
  skip(): void {
    this.#next++;
  }

  /** True when everything that the journal says has happened again. */
  get done(): boolean {
    return this.#next >= this.#events.length;
  }
}
