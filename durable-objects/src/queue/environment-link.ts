import type { EnvironmentRpc } from "../environment/rpc.ts";
import { log } from "../lib/log.ts";
import { StatePublisher } from "../lib/state-publisher.ts";
import { Throttle } from "../lib/throttle.ts";
import type { QueueCore } from "./core.ts";
import type { QueueState } from "./rpc.ts";

/**
 * The environment receives urgent changes at once, and a stream of them in pieces, because each report causes
 * work in three objects and a host. A free slot can wait for the next report.
 */
export const REPORT_PACE = { gapMs: 4, lazyMs: 10 };

/**
 * Keeps the environment informed of the queue's state. That state is, at any moment,
 *
 * - **reported**: the environment knows it;
 * - **changed**: the environment knows an older one, and gets this one within `lazyMs`;
 * - **urgent**: the environment knows of no work and there is some, so it gets this one within `gapMs`.
 *
 * `#acknowledge` is the only place where a state becomes reported. `forget` makes every state a changed one again.
 */
export class EnvironmentLink {
  readonly #core: QueueCore;
  readonly #environment: () => EnvironmentRpc;
  readonly #publisher: StatePublisher<QueueState>;
  readonly #throttle: Throttle;
  /** The latest state that the environment is known to have, in this life of the object. */
  #lastReported: QueueState | null = null;
  #introduction: Promise<void> | null = null;

  /** `waitUntil` keeps the object alive until its argument settles. */
  constructor(
    core: QueueCore,
    environment: () => EnvironmentRpc,
    waitUntil: (work: Promise<unknown>) => void,
  ) {
    this.#core = core;
    this.#environment = environment;
    this.#publisher = new StatePublisher(
      () => (this.#isReported() ? null : this.#take()),
      async (state) => {
        await this.#environment().reportQueue(state);
        this.#acknowledge(state);
      },
    );
    this.#throttle = new Throttle(() => waitUntil(this.#publisher.publish()), REPORT_PACE);
  }

  /** Returns the state for an answer to a call by the environment, after which the environment knows it. */
  answer(): QueueState {
    const state = this.#take();
    this.#acknowledge(state);
    return state;
  }

  /** Returns the state for an answer that the environment does not treat as the queue's latest state. */
  peek(): QueueState {
    return this.#take();
  }

  /** Reports the state soon if it has changed. */
  changed(): void {
    if (!this.#isReported()) this.#throttle.request(this.#isNews());
  }

  /** Reports the state if it has changed. Resolves to false when the environment could not be reached. */
  publish(): Promise<boolean> {
    return this.#publisher.publish();
  }

  /** Reports the state whether or not it has changed. Throws when the environment can't be reached. */
  async report(): Promise<void> {
    const state = this.#take();
    await this.#environment().reportQueue(state);
    this.#acknowledge(state);
  }

  /**
   * Makes the queue known to the environment when it gets its first runs. Resolves also if the environment can't be
   * reached: the alarm reports again.
   */
  introduce(): Promise<void> {
    this.#introduction ??= this.report()
      .catch((error) => {
        const { queueKey } = this.#core.context.ref;
        log.error("A new queue could not be reported yet; it is reported again", { queue: queueKey, error });
      })
      .finally(() => {
        this.#introduction = null;
      });
    return this.#introduction;
  }

  /** The introduction that is under way. Null: there is none. */
  get introduction(): Promise<void> | null {
    return this.#introduction;
  }

  /** Has the state reported again, because the environment or the dispatcher may have lost it. */
  forget(): void {
    this.#lastReported = null;
  }

  /**
   * Returns the state to report. The environment will rely on it, so the queue keeps to its permits from now
   * on.
   */
  #take(): QueueState {
    const { state, prefetched } = this.#core;
    const { unkeyed } = state;
    prefetched.reported({ all: state.held + state.prefetched, unkeyed: unkeyed.held + unkeyed.prefetched });
    return state;
  }

  /** Records that the environment knows this state. A later one that it knows already is kept. */
  #acknowledge(state: QueueState): void {
    if (this.#lastReported === null || this.#lastReported.seq <= state.seq) this.#lastReported = state;
  }

  /** Returns whether the environment would act on the state now: it knows of no work, and there is some. */
  #isNews(): boolean {
    const { ready, parked } = this.#core.state;
    return (ready > 0 && !this.#lastReported?.ready) || (parked && !this.#lastReported?.parked);
  }

  #isReported(): boolean {
    const { held, ready, parked, prefetched, revision, unkeyed, keyed, misplacedKeys, limits } =
      this.#core.state;
    const last = this.#lastReported;
    return (
      last !== null &&
      last.revision === revision &&
      last.limits === limits &&
      (!this.#core.isSplit ||
        (last.unkeyed.held + last.unkeyed.prefetched === unkeyed.held + unkeyed.prefetched &&
          last.unkeyed.ready === unkeyed.ready &&
          last.keyed === keyed &&
          last.misplacedKeys === misplacedKeys)) &&
      last.held + last.prefetched === held + prefetched &&
      last.ready === ready &&
      last.parked === parked
    );
  }
}
