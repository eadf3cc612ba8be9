import type { JournalEntry } from "../contract/journal.ts";

/**
 * Sends the entries of one attempt's journal to the host in numbered messages, and tracks which messages are
 * durable. Entries that are added between two calls of `flush` are sent together, each once.
 */
export class JournalWriter {
  readonly #send: (message: { seq: number; entries: JournalEntry[] }) => void;
  #unsent = new Map<number, JournalEntry>();
  /**
   * Numbers of the entries that were sent with everything that does not change later: values and location.
   */
  readonly #sentWhole = new Set<number>();
  #seq = 0;
  #awaitingDurable: { seq: number; resolve: () => void }[] = [];

  constructor(send: (message: { seq: number; entries: JournalEntry[] }) => void) {
    this.#send = send;
  }

  /** The entry is new, or has changed. */
  add(entry: JournalEntry): void {
    this.#unsent.set(entry.number, entry);
  }

  /** The entry's values have grown: they are sent again. */
  addValuesOf(entry: JournalEntry): void {
    this.#sentWhole.delete(entry.number);
    this.add(entry);
  }

  /** Resolves when everything that was added until now is durable. */
  durable(): Promise<void> {
    const seq = this.#unsent.size > 0 ? this.#seq + 1 : this.#seq;
    return new Promise((resolve) => this.#awaitingDurable.push({ seq, resolve }));
  }

  flush(): void {
    if (this.#unsent.size === 0) return;
    const entries = [...this.#unsent.values()].map((entry) => {
      if (this.#sentWhole.has(entry.number)) {
        const { values: _, location: __, ...news } = entry;
        return news;
      }
      this.#sentWhole.add(entry.number);
      return { ...entry };
    });
    this.#unsent = new Map();
    this.#send({ seq: ++this.#seq, entries });
  }

  /** Messages up to number `seq` are durable. */
  journaled(seq: number): void {
    const waiting = this.#awaitingDurable;
    this.#awaitingDurable = [];
    for (const one of waiting) {
      if (one.seq <= seq) one.resolve();
      else this.#awaitingDurable.push(one);
    }
  }
}
