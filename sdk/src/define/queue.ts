import { state } from "../run/state.ts";

/**
 * How many runs may start per period. Runs beyond the limit wait and start later; none is dropped. Within any
 * one period there are at most `limit` + `burst` − 1 starts. Retries count as starts; resuming after a wait
 * does not.
 */
export interface RateLimit {
  limit: number;
  /** `"10s"`, `"1m"`, … or milliseconds, from 100 ms to 31 days. */
  period: string | number;
  /** How many runs may start at the same moment after a pause. Default: 1, which spaces starts evenly. */
  burst?: number;
}

/** The limits of a queue. If a limit is absent, only the environment's limit applies. */
export interface QueueLimitOptions {
  /**
   * How many runs of each `concurrencyKey` may execute at once. Runs without a key count as runs of one key.
   */
  concurrencyLimit?: number;
  /** How many runs of all keys together may execute at once. */
  totalConcurrencyLimit?: number;
  /** Limits how many runs of the whole queue start per period. */
  rateLimit?: RateLimit;
  /**
   * Limits how many runs of each `concurrencyKey` start per period. Runs without a key count as runs of one
   * key.
   */
  rateLimitPerKey?: RateLimit;
  /**
   * How many objects the queue is spread over, 1 (the default) to 64, for more runs per second than one
   * object can take (some thousand). All runs of a `concurrencyKey` are in the same object; runs without a
   * key are spread evenly. The limits above apply to all objects together; the order of runs is kept within
   * each.
   */
  partitions?: number;
}

export interface QueueOptions extends QueueLimitOptions {
  /** The name by which tasks and triggers refer to the queue. */
  name: string;
}
export type Queue = QueueOptions;

/** Declares a queue that several tasks can share. */
export function queue(options: QueueOptions): Queue {
  state.queues.push(options);
  return options;
}
