import type { DequeuedRun } from "@acme/sdk/contract";
import { RunStatus } from "@acme/sdk/contract";
import type { RunChange, RunState } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** Invariant 2: every attempt has its own lease, and reports with an old one are refused. */
export class Leases {
  readonly #violations: Violations;
  readonly #runs: ReadonlyMap<string, RunState>;
  /** Session by lease. */
  readonly #given = new Map<string, string | null>();
  readonly #started = new Set<string>();

  constructor(violations: Violations, runs: ReadonlyMap<string, RunState>) {
    this.#violations = violations;
    this.#runs = runs;
  }

  /** An attempt's code starts on a host. */
  started({ runId, token }: DequeuedRun, sessionId: string): void {
    const lease = `${runId} ${token}`;
    if (this.#started.has(lease)) this.#violations.report(2, `lease ${token} of ${runId} was started twice`);
    this.#started.add(lease);
    const session = this.#given.get(lease);
    if (session !== sessionId)
      this.#violations.report(2, `lease ${token} of ${runId} is of ${session} and started on ${sessionId}`);
  }

  changed({ before, after }: RunChange): void {
    if (before && after.token < before.token)
      this.#violations.report(2, `${after.id} went back from lease ${before.token} to ${after.token}`);
    if (after.status !== RunStatus.DEQUEUED || before?.token === after.token) return;
    this.#given.set(`${after.id} ${after.token}`, after.session_id);
  }

  /**
   * Records the current lease of a run: a report that is sent from now on with an older lease must be
   * refused.
   */
  current(runId: string): number {
    return this.#runs.get(runId)?.token ?? 0;
  }

  answered(lease: { runId: string; token: number }, currentWhenSent: number, verdict: string): void {
    if (lease.token >= currentWhenSent || verdict === "stale") return;
    this.#violations.report(
      2,
      `a report with lease ${lease.token} of ${lease.runId} was answered "${verdict}" when ${currentWhenSent} was out`,
    );
  }
}
