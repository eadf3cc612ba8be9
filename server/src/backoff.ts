export const BACKOFF = {
  /** Wait before the first restart; doubles with each that follows. */
  firstMs: 200,
  maxMs: 10_000,
  /** A part that lived this long was healthy: its next death counts as the first again. */
  healthyMs: 20_000,
} as const;

/**
 * Milliseconds to wait before a part that died is started again.
 * @param deaths deaths in a row, this one included (from 1)
 */
export const restartDelay = (deaths: number): number =>
  Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** Math.min(deaths - 1, 20));

/** Deaths in a row after another one. */
export const countDeath = (deathsBefore: number, livedMs: number): number =>
  livedMs >= BACKOFF.healthyMs ? 1 : deathsBefore + 1;
