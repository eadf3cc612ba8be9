/**
 * Publishes a state to another object, one call at a time. What changes while a call is in flight is published by the
 * next one, so a busy sender costs its receiver one call per round trip, however many changes there were.
 */
export class StatePublisher<State> {
  readonly #current: () => State | null;
  readonly #send: (state: State) => Promise<void>;
  #busy = false;
  #again = false;

  /**
   * `current` returns what to publish, or null when the receiver knows everything. `send` throws when the receiver could
   * not be reached; the next call of `publish` tries again.
   */
  constructor(current: () => State | null, send: (state: State) => Promise<void>) {
    this.#current = current;
    this.#send = send;
  }

  /** Resolves to false when the receiver could not be reached. */
  async publish(): Promise<boolean> {
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
