import { type DequeuedRun, isFinal, isSuccess, RunStatus } from "@acme/sdk/contract";
import type { RunChange, RunState } from "./run-changes.ts";
import type { Violations } from "./violations.ts";

/** Invariant 1: an acknowledged run ends once, and was executed before it succeeded. */
export class Outcomes {
  readonly #violations: Violations;
  readonly #acknowledged = new Set<string>();
  readonly #outcomes = new Map<string, RunStatus>();
  readonly #started = new Set<string>();
  /** Acknowledged, and without an outcome. */
  readonly #open = new Set<string>();

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  get open(): string | undefined {
    return this.#open.values().next().value;
  }

  get acknowledgedRuns(): ReadonlySet<string> {
    return this.#acknowledged;
  }

  has(runId: string): boolean {
    return this.#outcomes.has(runId);
  }

  acknowledged(runId: string): void {
    this.#acknowledged.add(runId);
    if (!this.#outcomes.has(runId)) this.#open.add(runId);
  }

  /** `current`: the run's last lease. */
  started(run: DequeuedRun, current: number): void {
    this.#started.add(run.runId);
    const outcome = this.#outcomes.get(run.runId);
    // A run that was canceled while it was in flight to its host may start: the notice follows. So may a late delivery with an
    // earlier lease: its host learns from its first report that the lease is over.
    if (outcome && outcome !== RunStatus.CANCELED && run.token >= current)
      this.#violations.report(1, `${run.runId} was started after its outcome ${outcome}`);
  }

  changed({ database, after }: RunChange): void {
    const before = this.#outcomes.get(after.id);
    if (before && before !== after.status)
      this.#violations.report(1, `${after.id} was ${before} and became ${after.status}`);
    if (before || !isFinal(after.status)) return;
    this.#outcomes.set(after.id, after.status);
    this.#open.delete(after.id);
    if (!isSuccess(after.status)) return;
    if (!this.#started.has(after.id)) this.#violations.report(1, `${after.id} succeeded and never ran`);
    const row = database.prepare("SELECT output FROM outputs WHERE seq = ?").get(after.seq);
    if (row?.output !== JSON.stringify(after.token)) {
      this.#violations.report(
        2,
        `${after.id} has the result of lease ${row?.output}, its current lease is ${after.token}`,
      );
    }
  }

  atEnd(rows: ReadonlyMap<string, RunState>): void {
    for (const runId of this.#acknowledged)
      if (!rows.has(runId)) this.#violations.report(1, `${runId} was acknowledged and is gone`);
  }
}
