import type { JournalEntry, OperationResult } from "../contract/journal.ts";
import type { TaskWait } from "../define/hook-types.ts";
import { realNow } from "./real-clock.ts";

const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * `starting`: it is being started; what it creates is not known yet, and a result that arrives meanwhile
 * waits for that. `waiting`: only its end is waited for. `reading`: its result has arrived and is being
 * decoded. `ready`: its outcome is handed out when its turn comes. `notifying`: its turn has come, and the
 * `onResume` hooks run first.
 */
export type OperationState = "starting" | "waiting" | "reading" | "ready" | "notifying";

export type OperationOutcome = { ok: true; value: unknown } | { ok: false; error: unknown };

/** An operation whose result the task's code has not received yet. Only the journal changes its state. */
export class PendingOperation {
  readonly entry: JournalEntry;
  readonly read: (result: OperationResult) => Promise<unknown>;
  state: OperationState = "starting";
  outcome: OperationOutcome | undefined;
  /** The wait that hooks were notified of: they are notified of its end too. */
  notifiedWait: TaskWait | undefined;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    entry: JournalEntry,
    read: (result: OperationResult) => Promise<unknown>,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.entry = entry;
    this.read = read;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isWait(): boolean {
    return this.entry.kind === "wait";
  }

  handOut(): void {
    if (this.outcome?.ok) this.#resolve(this.outcome.value);
    else if (this.outcome) this.#reject(this.outcome.error);
  }

  fail(reason: unknown): void {
    this.clearTimer();
    this.#reject(reason);
  }

  /** Calls `over` when the end of a "wait" is reached, even if the clock changes meanwhile. */
  startTimer(over: () => void): void {
    this.clearTimer();
    const end = this.entry.until ?? 0;
    const ms = Math.min(Math.max(end - realNow(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      if (end > realNow()) this.startTimer(over);
      else over();
    }, ms);
  }

  clearTimer(): void {
    clearTimeout(this.#timer);
  }
}
