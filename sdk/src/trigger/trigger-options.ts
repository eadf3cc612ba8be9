import type { MachinePreset } from "../contract/machines.ts";
import type { IdempotencyKey } from "./idempotency-keys.ts";

export interface DebounceOptions {
  /** Of the task: other tasks may use the same. At most 512 characters. */
  key: string;
  /** From each trigger to the run's start: `"5s"`, `"2h30m"`, … At least one second. */
  delay: string;
  /**
   * Whose payload, metadata, tags, maxAttempts, maxDuration and machine the run has: the first trigger's (`leading`, the
   * default), or the last one's.
   */
  mode?: "leading" | "trailing";
  /** Longest the run waits, counted from the first trigger; one that would move it beyond has a run of its own. Default: no limit. */
  maxDelay?: string;
}

export interface TriggerOptions {
  /**
   * Triggers with the same key give one run. Inside a task, a plain string is scoped to the run that triggers; use
   * `idempotencyKeys.create()` for another scope.
   */
  idempotencyKey?: IdempotencyKey | string | string[];
  /** How long the key holds: `"1h"`, `"10s"`, … Default: 30 days. */
  idempotencyKeyTTL?: string;
  /** Attempts in all; overrides the task's retry settings. */
  maxAttempts?: number;
  /** The queue, or its name. */
  queue?: string | { name: string };
  /** Makes a copy of the queue, with its limit, for every value. */
  concurrencyKey?: string;
  /** Start no earlier: `"1h"`, `"30d"`, or a date. */
  delay?: string | Date;
  /** Triggers of a task with the same key become one run as long as that has not started waiting for a slot. */
  debounce?: DebounceOptions;
  /** Expire when not started within this time: `"1h"`, or seconds; 0: never. */
  ttl?: string | number;
  /** Head start over others of the queue, in seconds. */
  priority?: number;
  /** At most 10, each at most 128 characters. */
  tags?: string | string[];
  /** At most 256 KB of JSON. */
  metadata?: Record<string, unknown>;
  /** Seconds of run time, at least 5. */
  maxDuration?: number;
  machine?: MachinePreset;
  /** There is one region: this has no effect. */
  region?: string;
  /** Version of the deployment to run on. Default: the current one. */
  version?: string;
}

/** The run that is waited for has the version of the run that waits. */
export type TriggerAndWaitOptions = Omit<TriggerOptions, "version">;
