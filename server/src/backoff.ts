export const BACKOFF = {
  /** Wait before the first restart; doubles with each that follows. */
  firstMs: 200,
  maxMs: 10_000,
  /** A part that ran this long was healthy: its next crash counts as the first again. */
  healthyMs: 20_000,
} as const;

/**
 * Milliseconds to wait before a crashed part is restarted.
 * @param crashes crashes in a row, this one included (from 1)
 */
export const restartDelay = (crashes: number): number =>
  Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** Math.min(crashes - 1, 20));

/** Crashes in a row after another one. */
export const countCrash = (crashesBefore: number, livedMs: number): number =>
  livedMs >= BACKOFF.healthyMs ? 1 : crashesBefore + 1;
