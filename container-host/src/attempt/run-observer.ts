import type { AttemptOutcome, DequeuedRun, LogEntry } from "@acme/sdk/contract";

/**
 * How an attempt ended here: with an outcome, "suspended" where the run waits and nothing of it is left here, or "lost" where
 * there was nothing to report.
 */
export type AttemptEnd = AttemptOutcome | { type: "suspended" } | { type: "lost" };

/** Whoever shows what a host does: `acme dev`. Secrets are redacted. */
export interface RunObserver {
  /** A runtime has the run; it begins, or continues after a wait. */
  started(run: DequeuedRun): void;
  logged(run: DequeuedRun, entries: LogEntry[]): void;
  ended(run: DequeuedRun, end: AttemptEnd): void;
}
