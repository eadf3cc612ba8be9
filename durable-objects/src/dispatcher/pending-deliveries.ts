import type { HostNotice } from "@acme/sdk/contract";
import type { LeasedRun } from "../queue/rpc.ts";
import type { PollResult } from "./rpc.ts";

const MAX_NOTICES = 1_000;

/**
 * What waits in memory for the next poll of each session: runs that queues leased to it by prefetched permits, and notices.
 * If the object dies, the queues queue those runs again when their leases expire.
 */
export class PendingDeliveries {
  /** Runs by id, for each session. */
  readonly #runs = new Map<string, Map<string, LeasedRun>>();
  readonly #notices = new Map<string, HostNotice[]>();

  addRuns(sessionId: string, runs: LeasedRun[]): void {
    const waiting = this.#runs.get(sessionId) ?? new Map<string, LeasedRun>();
    for (const run of runs) waiting.set(run.runId, run);
    this.#runs.set(sessionId, waiting);
  }

  /** Drops the oldest notices of a session that has too many. */
  addNotices(sessionId: string, notices: HostNotice[]): void {
    const waiting = [...(this.#notices.get(sessionId) ?? []), ...notices];
    this.#notices.set(sessionId, waiting.slice(-MAX_NOTICES));
  }

  /** Drops earlier leases of these runs: a queue that got no answer to a delivery may have leased the runs again. */
  supersede(runs: LeasedRun[]): void {
    for (const waiting of this.#runs.values())
      if (waiting.size > 0) for (const { runId } of runs) waiting.delete(runId);
  }

  /** Takes all that waits for a session. */
  take(sessionId: string): PollResult {
    const runs = [...(this.#runs.get(sessionId)?.values() ?? [])];
    const notices = this.#notices.get(sessionId) ?? [];
    this.forget(sessionId);
    return { runs, notices, now: Date.now() };
  }

  /** Takes all that waits for a session, for an answer that has these runs too. */
  takeWith(sessionId: string, runs: LeasedRun[]): PollResult {
    const waiting = this.take(sessionId);
    return waiting.runs.length === 0
      ? { ...waiting, runs }
      : { ...waiting, runs: [...waiting.runs, ...runs] };
  }

  forget(sessionId: string): void {
    this.#runs.delete(sessionId);
    this.#notices.delete(sessionId);
  }
}
