export const BACKOFF = {
  /** The wait before the second restart in a row; it doubles with each further one. */
  firstMs: 200,
  maxMs: 10_000,
  /** A part that ran this long was healthy, so its next crash counts as the first again. */
  healthyMs: 20_000,
} as const;

/**
 * Returns the milliseconds to wait before a crashed part is restarted: none after the first crash.
 * @param crashes the number of consecutive crashes, including this one (from 1)
 */
export const restartDelay = (crashes: number): number =>
  crashes === 1 ? 0 : Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** Math.min(crashes - 2, 20));

/** Returns the number of consecutive crashes after another one. */
export const countCrash = (crashesBefore: number, livedMs: number): number =>
  livedMs >= BACKOFF.healthyMs ? 1 : crashesBefore + 1;
