import type { AttemptOutcome, DequeuedRun, LogEntry } from "@acme/sdk/contract";

/**
 * How an attempt ended here: with an outcome, "suspended" if the run waits and no part of it is left on this
 * host, or "lost" if there was nothing to report.
 */
export type AttemptEnd = AttemptOutcome | { type: "suspended" } | { type: "lost" };

/** Observes a host's runs for display, as in `acme dev`. Secrets are redacted. */
export interface RunObserver {
  /** A runtime has the run, which begins or continues after a wait. */
  started(run: DequeuedRun): void;
  logged(run: DequeuedRun, entries: LogEntry[]): void;
  ended(run: DequeuedRun, end: AttemptEnd): void;
}
