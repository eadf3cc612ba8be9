import type { Clock } from "./world.ts";

/** One life of an object, in memory. Its storage outlives it. */
export class Instance {
  object: object = {};
  readonly clock: Clock;
  /** Settles when the constructor's `blockConcurrencyWhile` has. */
  ready: Promise<unknown> = Promise.resolve();
  /** It may use its storage. */
  hasStorage = true;
  /** It still runs, and its calls reach others. */
  alive = true;
  /** Rejects when the instance dies, so that its callers notice at once. */
  readonly death: Promise<never>;
  readonly #reject: (error: Error) => void;

  constructor(clock: Clock) {
    this.clock = clock;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.death = promise;
    this.#reject = reject;
  }

  /** Another instance has taken over: pending calls may end, but can't reach the storage any more. */
  retire(): void {
    this.hasStorage = false;
    this.clock.ended = true;
  }

  die(): void {
    this.retire();
    this.alive = false;
    this.#reject(new Error("simulated: the object died"));
  }
}
