import type { Poll } from "./core.ts";
import type { PollResult } from "./rpc.ts";

/**
 * A poll is `waiting` until runs are requested for it, then `serving`. A poll whose time is up while it is served becomes
 * `overdue`: it is answered with whatever the request brings.
 */
type State = "waiting" | "serving" | "overdue";

interface WaitingPoll {
  resolve(result: PollResult): void;
  /** Undefined: the poll waits for as long as its connection is open. */
  timer?: ReturnType<typeof setTimeout>;
  state: State;
}

export const nothing = (): PollResult => ({ runs: [], notices: [], now: Date.now() });

/** The polls that have no answer yet. Each is answered once. */
export class WaitingPolls {
  readonly #polls = new Map<number, WaitingPoll>();
  readonly #answered: (poll: Poll) => void;

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
    this.#polls.set(poll.id, { resolve, state: "waiting" });
  }

  /** Answers the poll with nothing after this time, unless it has been answered. */
  limit(poll: Poll, waitMs: number): void {
    const waiting = this.#polls.get(poll.id);
    if (!waiting) return;
    waiting.timer = setTimeout(() => {
      if (waiting.state === "waiting") this.answer(poll, nothing());
      else waiting.state = "overdue";
    }, waitMs);
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
    clearTimeout(waiting.timer);
    this.remove(poll);
    waiting.resolve(result);
  }

  /** Removes a poll whose connection is closed, without an answer. */
  remove(poll: Poll): void {
    if (this.#polls.delete(poll.id)) this.#answered(poll);
  }
}
