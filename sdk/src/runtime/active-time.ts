import { MaxDurationExceededError } from "../define/errors.ts";

/** How long a task function may take to settle after its signal was aborted because of `maxDuration`. */
const GRACE_MS = 5_000;
/** `timeout.None`, and more than a timer can count. */
const NO_LIMIT_SECONDS = 2_147_483;

interface LimitEvents {
  /** The limit is reached. */
  reached(error: MaxDurationExceededError): void;
  /** The task function did not settle within the grace period after that. */
  overdue(error: MaxDurationExceededError): void;
}

/**
 * How long an attempt has run, and the timer of its `maxDuration`. It runs or is suspended; the time during
 * which it is suspended does not count.
 */
export class ActiveTime {
  /** `performance.now()` at the start, plus the time during which it was suspended. */
  startedAt = performance.now();
  readonly #limitSeconds: number | undefined;
  readonly #events: LimitEvents;
  /** Milliseconds that were recorded with earlier suspensions. */
  #recordedMs: number;
  /** `performance.now()` at the suspension; undefined while it runs. */
  #suspendedAt: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReached = false;

  constructor(limitSeconds: number | undefined, recordedMs: number, events: LimitEvents) {
    const isLimited = limitSeconds && limitSeconds <= NO_LIMIT_SECONDS;
    this.#limitSeconds = isLimited ? limitSeconds : undefined;
    this.#recordedMs = recordedMs;
    this.#events = events;
  }

  get isSuspended(): boolean {
    return this.#suspendedAt !== undefined;
  }

  /** Milliseconds since the last recorded suspension. */
  get activeMs(): number {
    return (this.#suspendedAt ?? performance.now()) - this.startedAt;
  }

  startTimer(): void {
    const seconds = this.#limitSeconds;
    if (seconds === undefined || this.#isReached) return;
    const leftMs = Math.max(0, seconds * 1_000 - this.#recordedMs - this.activeMs);
    this.#timer = setTimeout(() => this.#reached(seconds), leftMs);
  }

  stopTimer(): void {
    clearTimeout(this.#timer);
  }

  suspend(): void {
    this.stopTimer();
    this.#suspendedAt = performance.now();
  }

  /** `isRecorded`: the server recorded the suspension, together with the time that was used before it. */
  resume(isRecorded: boolean): void {
    const usedMs = this.activeMs;
    this.#suspendedAt = undefined;
    if (isRecorded) this.#recordedMs += usedMs;
    this.startedAt = performance.now() - (isRecorded ? 0 : usedMs);
    this.startTimer();
  }

  #reached(seconds: number): void {
    const error = new MaxDurationExceededError(seconds, (this.#recordedMs + this.activeMs) / 1_000);
    this.#isReached = true;
    this.#events.reached(error);
    this.#timer = setTimeout(() => this.#events.overdue(error), GRACE_MS);
  }
}
