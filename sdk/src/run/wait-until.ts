import { currentRun } from "./state.ts";

/**
 * Keeps the run from ending before the promise has settled, even if the task's function returns earlier. A
 * rejection is logged and does not fail the run. Does nothing outside of a task.
 */
export function waitUntil(promise: Promise<unknown>): void {
  const run = currentRun();
  if (!run) return;
  const settled = promise.then(
    () => {},
    (error: unknown) => {
      const { message, stack } =
        error instanceof Error ? error : { message: String(error), stack: undefined };
      run.log("warn", `A promise of waitUntil() was rejected: ${message}`, stack ? { stack } : undefined);
    },
  );
  // The process is not suspended while the promise is pending.
  const kept = run.durable.busy(() => settled);
  run.pending.add(kept);
  void kept.then(() => run.pending.delete(kept));
}
