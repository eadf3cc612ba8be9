/**
 * Tells another object a state, one call at a time: what changes while a call is under way is told in the next one, so
 * a busy sender costs its receiver one call a round trip, however many changes there were.
 */
export class Teller<State> {
  readonly #current: () => State | null;
  readonly #send: (state: State) => Promise<void>;
  #busy = false;
  #again = false;

  /**
   * `current` gives what is to be told, or null when the receiver knows it all; `send` throws when it could not be
   * told, and whoever calls `tell` next tries again.
   */
  constructor(current: () => State | null, send: (state: State) => Promise<void>) {
    this.#current = current;
    this.#send = send;
  }

  /** Resolves to false when the receiver could not be reached. */
  async tell(): Promise<boolean> {
    if (this.#busy) {
      this.#again = true;
      return true;
    }
    this.#busy = true;
    try {
      do {
        this.#again = false;
        const state = this.#current();
        if (state === null) break;
        await this.#send(state);
      } while (this.#again);
      return true;
    } catch {
      return false;
    } finally {
      this.#busy = false;
    }
  }
}
