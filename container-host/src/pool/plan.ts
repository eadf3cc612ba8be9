export interface LaneFacts {
  /** For each run without a runtime: milliseconds that its task usually takes; undefined where that is not known yet. */
  waiting: readonly (number | undefined)[];
  starting: number;
  /** For each busy runtime: milliseconds that its task usually takes, and for how many it has been busy. */
  busy: readonly { usualMs: number | undefined; forMs: number }[];
  /** Milliseconds a cold start takes. */
  startMs: number;
}

/** A runtime does not count as about to be free any more when its run takes this much longer than usual. */
const PATIENCE_MS = 200;
const PATIENCE_FACTOR = 4;

/**
 * How many runtimes to start for a deployment. Short runs are done by those that are warm before another one would be up:
 * none is started for them. Their time is counted as it passes inside the runtime, without waiting for a processor: more
 * processes would only make that wait longer.
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
  /** Idle runtimes of its deployment, this one included. */
  idleOfLane: number;
  /** Milliseconds since its deployment had a run. */
  laneUnusedMs: number;
}

/** A deployment in use keeps its spares this many times as long as other idle runtimes are kept. */
const SPARE_FACTOR = 5;

/** Whether an idle runtime has been kept long enough. */
export const isExpired = (
  facts: IdleFacts,
  { idleMs, spares }: { idleMs: number; spares: number },
): boolean =>
  facts.idleOfLane <= spares ? facts.laneUnusedMs > idleMs * SPARE_FACTOR : facts.idleForMs > idleMs;

/** Weight of the newest run in the average. */
const WEIGHT = 0.1;

export const averageOf = (mean: number | undefined, ms: number): number =>
  mean === undefined ? ms : mean + WEIGHT * (ms - mean);
