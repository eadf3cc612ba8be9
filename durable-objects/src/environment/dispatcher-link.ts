import type { DispatcherRpc } from "../dispatcher/rpc.ts";
import { StatePublisher } from "../lib/state-publisher.ts";
import type { EnvironmentState } from "./rpc.ts";

interface Source {
  dispatcher: () => DispatcherRpc;
  /** Returns how many runs could be dequeued now. */
  ready: () => number;
  /** Returns the state, with a sequence number of its own. */
  state: () => EnvironmentState;
}

/**
 * Keeps the dispatcher informed of how much the environment has ready. That is, at any moment,
 *
 * - **reported**: the dispatcher knows the number, or the number is 0, which it finds out by asking for runs;
 * - **changed**: the dispatcher knows another number, and learns of this one by the next `publish`.
 *
 * `#acknowledge` is the only place where a state becomes reported. `forget` makes every state a changed one again.
 */
export class DispatcherLink {
  readonly #source: Source;
  readonly #publisher: StatePublisher<EnvironmentState>;
  /** The latest state that the dispatcher is known to have, in this life of the object. */
  #lastReported = { seq: 0, ready: 0 };

  constructor(source: Source) {
    this.#source = source;
    this.#publisher = new StatePublisher(
      () => (this.#isReported() ? null : source.state()),
      async (state) => {
        await source.dispatcher().reportEnvironment(state);
        this.#acknowledge(state);
      },
    );
  }

  /** Reports the state, if it has changed. Resolves to false when the dispatcher could not be reached. */
  publish(): Promise<boolean> {
    return this.#publisher.publish();
  }

  /** Returns the state, for an answer to a call by the dispatcher, which knows it with that. */
  answer(): EnvironmentState {
    const state = this.#source.state();
    this.#acknowledge(state);
    return state;
  }

  /** Has the state reported again, because the dispatcher may have lost it, or because more than `ready` has changed. */
  forget(): void {
    this.#lastReported = { ...this.#lastReported, ready: 0 };
  }

  #isReported(): boolean {
    const ready = this.#source.ready();
    return ready === 0 || ready === this.#lastReported.ready;
  }

  /** Records that the dispatcher knows this state. A later one that it knows already is kept. */
  #acknowledge(state: EnvironmentState): void {
    if (state.seq > this.#lastReported.seq) this.#lastReported = state;
  }
}
