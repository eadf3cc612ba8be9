import type { MachinePreset } from "../contract/machines.ts";
import type { IdempotencyKey } from "./idempotency-keys.ts";

export interface DebounceOptions {
  /** At most 512 characters. Other tasks may use the same key independently. */
  key: string;
  /** Time from the last trigger to the run's start: `"5s"`, `"2h30m"`, … At least one second. */
  delay: string;
  /**
   * Whether the run has the payload, metadata, tags, maxAttempts, maxDuration and machine of the first
   * trigger (`leading`, the default) or of the last one (`trailing`).
   */
  mode?: "leading" | "trailing";
  /**
   * The longest time from the first trigger to the run's start. A trigger that would exceed it gets a new
   * run. Default: no limit.
   */
  maxDelay?: string;
}

export interface TriggerOptions {
  /**
   * Triggers with the same key return the same run. Inside a task, a plain string is scoped to the run that
   * triggers. Use `idempotencyKeys.create()` for another scope.
   */
  idempotencyKey?: IdempotencyKey | string | string[];
  /** How long the key is valid: `"1h"`, `"10s"`, … Default: 30 days. */
  idempotencyKeyTTL?: string;
  /** Maximum number of attempts. Overrides the task's retry settings. */
  maxAttempts?: number;
  /** The queue, or its name. */
  queue?: string | { name: string };
  /** The queue's limits apply to each key separately, as if every key had a queue of its own. */
  concurrencyKey?: string;
  /**
   * The names of at most two concurrency limits that the run holds instead of those that its task names. A
   * limit of the task itself applies as well.
   */
  concurrency?: string | string[];
  /** The run starts no earlier than this: `"1h"`, `"30d"`, or a date. */
  delay?: string | Date;
  /** Triggers of a task with the same key become one run, as long as its delay has not passed. */
  debounce?: DebounceOptions;
  /** The run expires if it has not started within this time: `"1h"`, or a number of seconds. 0: never. */
  ttl?: string | number;
  /** How many seconds the run is ahead of others in its queue. */
  priority?: number;
  /** At most 10, each at most 128 characters. */
  tags?: string | string[];
  /** At most 256 KB of JSON. */
  metadata?: Record<string, unknown>;
  /** Seconds of run time, at least 5. */
  maxDuration?: number;
  machine?: MachinePreset;
  /** Has no effect: there is only one region. */
  region?: string;
  /** The version of the deployment to run on. Default: the current one. */
  version?: string;
}

/** A run that is waited for always has the version of the run that waits for it. */
export type TriggerAndWaitOptions = Omit<TriggerOptions, "version">;
