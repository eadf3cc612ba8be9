/**
 * Returns the milliseconds to wait after `failures` consecutive failures (from 1). The delay doubles, with
 * full jitter above its half, so that many hosts that lost the same server don't return at the same time.
 */
export function backoffMs(
  failures: number,
  { firstMs = 100, maxMs = 5_000 }: { firstMs?: number; maxMs?: number } = {},
  random: () => number = Math.random,
): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 20));
  return full / 2 + (full / 2) * random();
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
