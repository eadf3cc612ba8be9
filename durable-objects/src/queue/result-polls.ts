/** Requests that wait for a run to end. In memory only, because a waiter lives no longer than its request. */
export class Waiters {
  readonly #byRun = new Map<string, Set<(finished: boolean) => void>>();

  /** Resolves to true once the run has ended, and to false after `timeoutMs`. */
  wait(runId: string, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiters = this.#byRun.get(runId) ?? new Set();
      this.#byRun.set(runId, waiters);
      const end = (finished: boolean) => {
        clearTimeout(timer);
        waiters.delete(end);
        if (waiters.size === 0) this.#byRun.delete(runId);
        resolve(finished);
      };
      const timer = setTimeout(() => end(false), timeoutMs);
      waiters.add(end);
    });
  }

  finished(runId: string): void {
    if (this.#byRun.size === 0) return;
    for (const end of this.#byRun.get(runId) ?? []) end(true);
  }
}
