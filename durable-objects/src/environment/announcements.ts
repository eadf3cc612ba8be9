import type { Meta } from "../lib/sql.ts";

/** The name of the key is historical: once only promotions were announced. */
const META_KEY = "promoted";

/**
 * The queues that have yet to learn of the current deployment, or of changes through the API. A queue is, at any moment,
 *
 * - **to inform**: it is in the stored list, so the next life of this object informs it if this one ends first;
 * - **informed**: it is not in the list.
 *
 * `add` makes queues ones to inform, and `informedAll` makes all of them informed.
 */
export class Announcements {
  readonly #meta: Meta;
  /** Counts the additions to the list. */
  #additions = 0;

  constructor(meta: Meta) {
    this.#meta = meta;
  }

  /** Keys of the queues to inform. `asOf` is for `informedAll`. */
  queuesToInform(): { queues: string[]; asOf: number } {
    return { queues: this.#meta.get<string[]>(META_KEY) ?? [], asOf: this.#additions };
  }

  /** Clears the list of `queuesToInform`, unless it has grown since. */
  informedAll(asOf: number): void {
    if (asOf === this.#additions) this.#meta.set(META_KEY, []);
  }

  /** Adds queues, in the transaction that stores what they are to learn. */
  add(queueKeys: string[]): void {
    this.#additions += 1;
    this.#meta.set(META_KEY, [...new Set([...this.queuesToInform().queues, ...queueKeys])]);
  }
}
