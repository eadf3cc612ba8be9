export interface LaneFacts {
  /** For each run without a runtime: the usual milliseconds of its task; undefined if not known yet. */
  waiting: readonly (number | undefined)[];
  starting: number;
  /**
   * For each busy runtime: the usual milliseconds of its task, and the milliseconds for which it has been
   * busy.
   */
  busy: readonly { usualMs: number | undefined; forMs: number }[];
  /** Milliseconds a cold start takes. */
  startMs: number;
}

/** A runtime no longer counts as about to become free when its run takes this much longer than usual. */
const PATIENCE_MS = 200;
const PATIENCE_FACTOR = 4;

/**
 * Returns the number of runtimes to start for a deployment. None is started for short runs that warm runtimes
 * would finish before a new one is ready. A run's time is measured inside the runtime, without waiting for a
 * processor, because more processes would only prolong that wait.
 */
export function startsWanted({ busy, startMs, starting, waiting }: LaneFacts): number {
  const isQuick = (ms: number | undefined): ms is number => ms !== undefined && ms < startMs;
  const workers = busy.filter(
    ({ usualMs, forMs }) => isQuick(usualMs) && forMs < PATIENCE_MS + PATIENCE_FACTOR * usualMs,
  ).length;
  let quick = 0;
  let quickMs = 0;
  for (const ms of waiting) {
    if (!isQuick(ms)) continue;
    quick += 1;
    quickMs += ms;
  }
  const isCovered = workers > 0 && quickMs / workers < startMs;
  return Math.max(0, waiting.length - (isCovered ? quick : 0) - starting);
}

export interface IdleFacts {
  idleForMs: number;
  /** The number of idle runtimes of its deployment, including this one. */
  idleOfLane: number;
  /** Milliseconds since the last run of its deployment. */
  laneUnusedMs: number;
}

/** The factor by which spare runtimes of a deployment in use are kept longer than other idle runtimes. */
const SPARE_FACTOR = 5;

/** Returns whether an idle runtime has been kept long enough. */
export const isExpired = (
  facts: IdleFacts,
  { idleMs, spares }: { idleMs: number; spares: number },
): boolean =>
  facts.idleOfLane <= spares ? facts.laneUnusedMs > idleMs * SPARE_FACTOR : facts.idleForMs > idleMs;

/** The weight of the newest run in the moving average. */
const WEIGHT = 0.1;

export const averageOf = (mean: number | undefined, ms: number): number =>
  mean === undefined ? ms : mean + WEIGHT * (ms - mean);
