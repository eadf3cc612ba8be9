import type { Poll } from "./core.ts";
import type { PollResult } from "./rpc.ts";

/**
 * A poll is `waiting` until runs are requested for it, then `serving`. A poll whose time is up while it is
 * served becomes `overdue`: it is answered with whatever the request yields.
 */
type State = "waiting" | "serving" | "overdue";

interface WaitingPoll {
  poll: Poll;
  resolve(result: PollResult): void;
  /** Infinite: the poll waits for as long as its connection is open. */
  waitMs: number;
  until: number;
  state: State;
}

export const nothing = (): PollResult => ({ runs: [], notices: [], now: Date.now() });

/** The polls that have no answer yet. Each is answered once. */
export class WaitingPolls {
  readonly #polls = new Map<number, WaitingPoll>();
  readonly #answered: (poll: Poll) => void;
  /** When the timer fires; infinite: it is not set. */
  #timerAt = Number.POSITIVE_INFINITY;

  /** `answered` is called for each poll before its answer is sent. */
  constructor(answered: (poll: Poll) => void) {
    this.#answered = answered;
  }

  get size(): number {
    return this.#polls.size;
  }

  has(poll: Poll): boolean {
    return this.#polls.has(poll.id);
  }

  add(poll: Poll, resolve: (result: PollResult) => void): void {
    const until = Number.POSITIVE_INFINITY;
    this.#polls.set(poll.id, { poll, resolve, waitMs: until, until, state: "waiting" });
  }

  /** Answers the poll with nothing after this time, unless it has been answered. */
  limit(poll: Poll, waitMs: number): void {
    const waiting = this.#polls.get(poll.id);
    if (!waiting) return;
    waiting.waitMs = waitMs;
    waiting.until = Date.now() + waitMs;
    this.#timerBy(waiting.until);
  }

  /** One timer for all polls: a busy host's polls are answered long before their time is up. */
  #timerBy(at: number): void {
    if (this.#timerAt <= at) return;
    this.#timerAt = at;
    setTimeout(() => this.#fired(at), Math.max(0, at - Date.now()));
  }

  #fired(at: number): void {
    // An earlier one was set after this one, and has set the next.
    if (this.#timerAt !== at) return;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const waiting of [...this.#polls.values()]) {
      const { poll, waitMs, until, state } = waiting;
      // More time than it had at first is left to a poll only by a clock that was set back.
      if (until > now && until - now <= waitMs) next = Math.min(next, until);
      else if (state === "waiting") this.answer(poll, nothing());
      else waiting.state = "overdue";
    }
    if (next !== Number.POSITIVE_INFINITY) this.#timerBy(next);
  }

  /** Runs are requested for the poll. */
  serve(poll: Poll): void {
    const waiting = this.#polls.get(poll.id);
    if (waiting) waiting.state = "serving";
  }

  /** The request brought no runs. Returns what the poll was meanwhile, or null if it has been answered. */
  resume(poll: Poll): "waiting" | "overdue" | null {
    const waiting = this.#polls.get(poll.id);
    if (!waiting) return null;
    const isOverdue = waiting.state === "overdue";
    waiting.state = "waiting";
    return isOverdue ? "overdue" : "waiting";
  }

  answer(poll: Poll, result: PollResult): void {
    const waiting = this.#polls.get(poll.id);
    if (!waiting) return;
    this.remove(poll);
    waiting.resolve(result);
  }

  /** Removes a poll whose connection is closed, without an answer. */
  remove(poll: Poll): void {
    if (this.#polls.delete(poll.id)) this.#answered(poll);
  }
}
