import { AsyncLocalStorage } from "node:async_hooks";
import { Trace } from "./trace.ts";

/** The clock of one machine: how far it is ahead of the world's, in milliseconds. */
export interface Clock {
  skewMs: number;
  /** True: the machine is gone, so its timers do nothing. */
  ended?: boolean;
  /** Timers of the machine that have not fired. */
  timers?: number;
}

/**
 * A deterministic world: a virtual clock, a seeded random generator, and one list of events. Between two events all promises
 * settle, so everything happens in the same order each time a seed runs.
 */
export class World {
  /** Milliseconds since the epoch, as the code under test sees them. */
  now = 1_800_000_000_000;
  /** Events that have happened. */
  steps = 0;
  readonly trace: Trace;
  readonly jumps: { from: number; to: number }[] = [];
  /** The machine whose code is running: `Date.now` shows its clock. */
  readonly clock = new AsyncLocalStorage<Clock>();
  readonly #events: Event[] = [];
  readonly #startedAt = this.now;
  #order = 0;
  #state: number;

  constructor(seed: number, { trace = false } = {}) {
    this.#state = seed >>> 0;
    this.trace = new Trace(trace);
  }

  /** Virtual milliseconds since the start. */
  get elapsed(): number {
    return this.now - this.#startedAt;
  }

  /** Adds an event of the current time to the trace. */
  note(line: string): void {
    this.trace.add(`${this.elapsed.toFixed(1)} ${line}`);
  }

  /** In [0, 1): mulberry32. */
  random = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T;
  }

  /** Calls `work` after `delay` ms of virtual time. */
  after(delay: number, work: () => void): Event {
    this.#order += 1;
    const event: Event = { at: this.now + Math.max(0, delay), order: this.#order, work, canceled: false };
    push(this.#events, event);
    return event;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Moves the clock as if the machine had been paused: timers that became due meanwhile are due now. */
  jump(ms: number): void {
    this.jumps.push({ from: this.now, to: this.now + ms });
    this.now += ms;
    this.note(`the clock jumps by ${ms}`);
  }

  /** Runs the next event and everything that follows from it. Returns false when no event is left. */
  async step(): Promise<boolean> {
    let event = pop(this.#events);
    while (event?.canceled) event = pop(this.#events);
    if (!event) return false;
    this.now = Math.max(this.now, event.at);
    this.steps += 1;
    event.work();
    await settled();
    return true;
  }

  /** A timer of a machine. */
  #tick(clock: Clock, work: () => void): void {
    clock.timers = (clock.timers ?? 0) - 1;
    try {
      if (!clock.ended) this.clock.run(clock, work);
    } catch (error) {
      // The machine may end while the timer's work runs.
      if (!clock.ended) throw error;
    }
  }

  /** Replaces the real clock, timers and random generator by virtual ones. The result restores them. */
  install(): () => void {
    const real = {
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval,
      clearInterval: globalThis.clearInterval,
      now: Date.now,
      random: Math.random,
      performance: performance.now,
      scheduler: Object.getOwnPropertyDescriptor(globalThis, "scheduler"),
      error: console.error,
    };
    const timers = new Map<number, { event: Event; clock: Clock | undefined }>();
    let lastTimer = 0;
    const set = (timer: number, work: () => void, ms: number) => {
      const clock = this.clock.getStore();
      if (clock) clock.timers = (clock.timers ?? 0) + 1;
      const fire = () => {
        timers.delete(timer);
        if (clock) this.#tick(clock, work);
        else work();
      };
      timers.set(timer, { event: this.after(ms, fire), clock });
      return timer;
    };
    const clear = (timer: number) => {
      const set = timers.get(timer);
      if (!set) return;
      timers.delete(timer);
      set.event.canceled = true;
      if (set.clock) set.clock.timers = (set.clock.timers ?? 0) - 1;
    };
    const repeat = (timer: number, work: () => void, ms: number): number =>
      set(
        timer,
        () => {
          repeat(timer, work, ms);
          work();
        },
        ms,
      );
    Object.assign(globalThis, {
      setTimeout: (work: () => void, ms = 0) => set(++lastTimer, work, ms),
      clearTimeout: clear,
      setInterval: (work: () => void, ms = 0) => repeat(++lastTimer, work, ms),
      clearInterval: clear,
    });
    Object.defineProperty(globalThis, "scheduler", {
      value: { wait: (ms: number) => this.sleep(ms) },
      configurable: true,
    });
    Date.now = () => Math.floor(this.now + (this.clock.getStore()?.skewMs ?? 0));
    performance.now = () => this.elapsed;
    Math.random = this.random;
    Object.defineProperty(crypto, "getRandomValues", {
      value: (bytes: Uint8Array) => {
        for (let index = 0; index < bytes.length; index++) bytes[index] = this.between(0, 255);
        return bytes;
      },
      configurable: true,
    });
    Object.defineProperty(crypto, "randomUUID", {
      value: () =>
        "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, () => this.between(0, 15).toString(16)),
      configurable: true,
    });
    // The code under test logs faults that it survives; here they are intended.
    console.error = () => {};
    return () => {
      globalThis.setTimeout = real.setTimeout;
      globalThis.clearTimeout = real.clearTimeout;
      globalThis.setInterval = real.setInterval;
      globalThis.clearInterval = real.clearInterval;
      Date.now = real.now;
      Math.random = real.random;
      performance.now = real.performance;
      Reflect.deleteProperty(crypto, "getRandomValues");
      Reflect.deleteProperty(crypto, "randomUUID");
      console.error = real.error;
      if (real.scheduler) Object.defineProperty(globalThis, "scheduler", real.scheduler);
      else Reflect.deleteProperty(globalThis, "scheduler");
    };
  }
}

export interface Event {
  at: number;
  order: number;
  work: () => void;
  canceled: boolean;
}

const immediate = globalThis.setImmediate;

/** Resolves when every promise that can settle without an event has settled. */
const settled = (): Promise<void> => new Promise((resolve) => void immediate(resolve));

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let index = heap.push(event) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!before(event, heap[parent] as Event)) break;
    heap[index] = heap[parent] as Event;
    index = parent;
  }
  heap[index] = event;
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (heap.length === 0 || !last) return first;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child += 1;
    if (!before(heap[child] as Event, last)) break;
    heap[index] = heap[child] as Event;
    index = child;
  }
  heap[index] = last;
  return first;
}
