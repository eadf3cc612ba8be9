/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

/**
 * Returns a signal that is aborted when this process is asked to stop: by Ctrl-C, SIGTERM, SIGHUP, or the end
 * of the process that started it (which has the other end of the IPC channel). A second Ctrl-C ends the
 * process at once.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
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
