import type { LiveSubscription } from "./live-options.ts";

/**
 * The state of a subscription for a user interface. The subscription is open while there are listeners, and
 * resumes where it stopped when a listener is added again.
 */
export interface LiveStore<S> {
  /** The same object until something changes. */
  get(): S;
  /** Adds a listener. Returns a function that removes it. */
  subscribe(listener: () => void): () => void;
  /** Ends the subscription permanently and keeps the state. */
  stop(): void;
}

type Open<S> = (store: Store<S>) => LiveSubscription;

export class Store<S> implements LiveStore<S> {
  readonly #open: Open<S>;
  readonly #throttleMs: number;
  readonly #listeners = new Set<() => void>();
  #state: S;
  #next: (() => S) | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #subscription: LiveSubscription | null = null;
  #stopped = false;

  /** `throttleMs`: minimum time between two calls of the listeners; 0: they are called at each change. */
  constructor(initial: S, throttleMs: number, open: Open<S>) {
    this.#state = initial;
    this.#throttleMs = throttleMs;
    this.#open = open;
  }

  get(): S {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    // Wrapped in a new function, because the same listener may be added twice.
    const own = () => listener();
    this.#listeners.add(own);
    if (!this.#stopped) this.#subscription ??= this.#open(this);
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#close();
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#close();
  }

  /** `next` is called just before the listeners. */
  change(next: () => S): void {
    this.#next = next;
    if (this.#throttleMs === 0) this.#publish();
    else this.#timer ??= setTimeout(() => this.#publish(), this.#throttleMs);
  }

  #publish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#next) return;
    this.#state = this.#next();
    this.#next = null;
    for (const listener of [...this.#listeners]) listener();
  }

  #close(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = null;
    this.#publish();
  }
}
