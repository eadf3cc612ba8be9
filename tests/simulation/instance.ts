import type { Clock } from "./world.ts";

/** One life of an object, in memory. Its storage outlives it. */
export class Instance {
  object: object = {};
  readonly clock: Clock;
  /** Settles when the constructor's `blockConcurrencyWhile` has. */
  ready: Promise<unknown> = Promise.resolve();
  /** Whether it may use its storage. */
  hasStorage = true;
  /** Whether it still runs and its calls reach others. */
  alive = true;
  /** When it last started some work. */
  activeAt = 0;
  /** The platform's check whether it may sleep. */
  sleepsSoon = false;
  /** The number of unanswered calls, and of tasks that continue after an answer. */
  #busy = 0;
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

  get isIdle(): boolean {
    return this.#busy === 0 && (this.clock.timers ?? 0) === 0;
  }

  /** A call begins, or work that continues after an answer. */
  begins(now: number): void {
    this.activeAt = now;
    this.#busy += 1;
  }

  /** That call or work has ended. */
  ends(): void {
    this.#busy -= 1;
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
