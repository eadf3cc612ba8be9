/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

/** A terminal sends one Ctrl-C to a package manager too, which sends it on: the process receives it twice. */
const SAME_PRESS_MS = 500;

/**
 * Returns a signal that is aborted when this process is asked to stop: by Ctrl-C, SIGTERM, SIGHUP, or the end
 * of the process that started it (which has the other end of the IPC channel). A second Ctrl-C ends the
 * process at once.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  let pressedAt = Number.NEGATIVE_INFINITY;
  const interrupt = (): void => {
    const now = performance.now();
    if (controller.signal.aborted && now - pressedAt > SAME_PRESS_MS) process.exit(130);
    pressedAt = now;
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  // These signals can be sent more than once without a user pressing Ctrl-C twice.
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => controller.abort());
  if (process.connected) {
    process.on("disconnect", () => controller.abort());
    process.channel?.unref();
  }
  return controller.signal;
}
