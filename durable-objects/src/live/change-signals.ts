import type { RunRow } from "../rpc.ts";

/** A wait for a change. */
export interface Change {
  /** Resolves to true if the change came; false if it did not come in time, or the wait was canceled. */
  came: Promise<boolean>;
  cancel(): void;
}

interface Waiter {
  wants(run: RunRow): boolean;
  end(came: boolean): void;
}

/** Wakes the waiters for the next change of a run, or of any run that matches. */
export class ChangeSignals {
  readonly #ofRun = new Map<string, Set<Waiter>>();
  readonly #ofAny = new Set<Waiter>();

  changed(run: RunRow): void {
    for (const waiter of this.#ofRun.get(run.id) ?? []) waiter.end(true);
    for (const waiter of this.#ofAny) if (waiter.wants(run)) waiter.end(true);
  }

  /** Waits for the next change of the run, at most `ms`. */
  nextOfRun(runId: string, ms: number): Change {
    const waiters = this.#ofRun.get(runId) ?? new Set<Waiter>();
    this.#ofRun.set(runId, waiters);
    return wait(
      waiters,
      () => true,
      ms,
      () => {
        if (waiters.size === 0) this.#ofRun.delete(runId);
      },
    );
  }

  /** Waits for the next change of any run that matches. */
  next(wants: (run: RunRow) => boolean, ms: number): Change {
    return wait(this.#ofAny, wants, ms, () => {});
  }
}

function wait(waiters: Set<Waiter>, wants: Waiter["wants"], ms: number, removed: () => void): Change {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const end = (came: boolean): void => {
    clearTimeout(timer);
    waiters.delete(waiter);
    removed();
    resolve(came);
  };
  const waiter: Waiter = { wants, end };
  const timer = setTimeout(() => end(false), ms);
  waiters.add(waiter);
  return { came: promise, cancel: () => end(false) };
}
