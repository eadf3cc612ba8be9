import { currentRun } from "./state.ts";

/**
 * The run does not end before the promise has settled, also where the task's function returns earlier. A rejection is logged and
 * does not fail the run. Outside of a task it does nothing.
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
  // The process is not suspended while the promise's work goes on in it.
  const kept = run.durable.busy(() => settled);
  run.pending.add(kept);
  void kept.then(() => run.pending.delete(kept));
}
