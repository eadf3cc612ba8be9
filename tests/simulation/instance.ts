import type { Clock } from "./world.ts";

/** One life of an object, in memory. Its storage outlives it. */
export class Instance {
  object: object = {};
  readonly clock: Clock;
  /** What the constructor blocks all calls with. */
  ready: Promise<unknown> = Promise.resolve();
  /** It may use its storage. */
  hasStorage = true;
  /** It still runs, and is heard by others. */
  alive = true;
  /** Rejects when the instance dies: whoever waits for it hears of it at once. */
  readonly death: Promise<never>;
  readonly #reject: (error: Error) => void;

  constructor(clock: Clock) {
    this.clock = clock;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.death = promise;
    this.#reject = reject;
  }

  /** Another life has taken over: what is under way may end, but it reaches its storage no more. */
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
