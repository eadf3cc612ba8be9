/**
 * Returns the value below which `share` (0 to 1) of the samples lie, by the nearest rank. @throws if there
 * are no samples
 */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error("No samples were taken.");
  return value;
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

/** Latencies of one round, in milliseconds. */
export const p50p99 = (latencies: readonly number[]): { p50: number; p99: number } => ({
  p50: percentile(latencies, 0.5),
  p99: percentile(latencies, 0.99),
});
