import { state } from "../run/state.ts";

/**
 * How many runs may start in a period. What is beyond it waits and starts later; nothing is dropped. In any stretch of one
 * period there are at most `limit` + `burst` − 1 starts. Retries count; going on after a wait does not.
 */
export interface RateLimit {
  limit: number;
  /** `"10s"`, `"1m"`, …, or milliseconds: from 100 ms to 31 days. */
  period: string | number;
  /** How many may start at one moment after a pause. Default 1: starts are spaced evenly. */
  burst?: number;
}

/** Limits of a queue. An absent one: there is none but the environment's. */
export interface QueueLimitOptions {
  /** Most runs executing at once: of each `concurrencyKey`, which is a copy of the queue; runs without one share a copy. */
  concurrencyLimit?: number;
  /** Most runs executing at once over all keys. */
  totalConcurrencyLimit?: number;
  /** Starts of the whole queue. */
  rateLimit?: RateLimit;
  /** Starts of each `concurrencyKey`; runs without one share one. */
  rateLimitPerKey?: RateLimit;
  /**
   * Objects that the queue is spread over: 1 (default) to 64, for more runs a second than one object can take (some
   * thousand). All runs of a `concurrencyKey` are in one of them, those without one are spread evenly. The limits above
   * hold over all of them; the order of runs is kept in each.
   */
  partitions?: number;
}

export interface QueueOptions extends QueueLimitOptions {
  /** What tasks and triggers refer to. */
  name: string;
}
export type Queue = QueueOptions;

/** Declares a queue that several tasks can share. */
export function queue(options: QueueOptions): Queue {
  state.queues.push(options);
  return options;
}
