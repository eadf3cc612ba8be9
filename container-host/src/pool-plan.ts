export interface LaneFacts {
  /** Runs without a runtime. */
  waiting: number;
  /** Milliseconds the oldest of them has waited. */
  oldestWaitMs: number;
  starting: number;
  busy: number;
  /** Milliseconds a run takes, on average; undefined: none has ended yet. */
  meanMs: number | undefined;
  /** Milliseconds a cold start takes. */
  startMs: number;
}

/**
 * How many runtimes to start for a deployment. Short runs are done by those that are warm before another one would be up,
 * so none is started for them; but nothing waits longer than a start takes without one being started.
 */
export function startsWanted(lane: LaneFacts): number {
  const uncovered = lane.waiting - lane.starting;
  if (uncovered <= 0) return 0;
  if (lane.busy > 0 && lane.meanMs !== undefined && lane.oldestWaitMs < lane.startMs) {
    const drainedInMs = (lane.waiting * lane.meanMs) / lane.busy;
    if (drainedInMs < lane.startMs) return 0;
  }
  return uncovered;
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
