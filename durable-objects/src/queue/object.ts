import { DurableObject } from "cloudflare:workers";
import type { CompletedOperation, MetadataOperation } from "@acme/sdk/contract";
import type { LiveInterest } from "../live/rpc.ts";
import type { DeploymentRef, QueueRef } from "../routing/refs.ts";
import { type ObjectBindings, stubs } from "../routing/stubs.ts";
import { loseSession, returnRuns } from "./attempts.ts";
import { type CancelOptions, cancelRun } from "./cancel.ts";
import { addTags, rescheduleRun, updateMetadata } from "./changes.ts";
import { QueueCommits } from "./commits.ts";
import type { QueueCore } from "./core.ts";
import { claimDebounce, pushDebounced } from "./debounce.ts";
import { dequeueRuns, type Leased } from "./dequeue.ts";
import { claimKey, resetKey } from "./idempotency.ts";
import { releaseParked } from "./parked-runs.ts";
import { answerUnknown, applyOneByOne, applyReport, isStorageFailure } from "./reports.ts";
import { startReprojection } from "./reprojection.ts";
import type {
  DebounceClaim,
  DebouncePush,
  DebounceVerdict,
  DequeueGrant,
  MetricsMinute,
  QueueChange,
  QueueChanges,
  QueueDeclaration,
  QueueReport,
  QueueReportResult,
  QueueRpc,
  QueueState,
  QueueStats,
  Reprojection,
  RunError,
  RunEvent,
  RunFinished,
  RunHold,
  RunProjection,
  RunRecord,
  RunTrace,
  TriggerItem,
  TriggerResult,
} from "./rpc.ts";
import { holdOf } from "./run-hold.ts";
import { runNotFound } from "./run-not-found.ts";
import { runTrace } from "./run-trace.ts";
import { retrieveRun, runEvents } from "./run-views.ts";
import { endOf } from "./run-waiters.ts";
import { claimOperation, completeOperation, type OperationClaim } from "./suspension.ts";
import { TIMER_BATCH } from "./timers.ts";
import { triggerRun } from "./trigger.ts";

export interface QueueObjectDependencies<Env extends ObjectBindings> {
  openProjection(env: Env): RunProjection;
  /** The store for queries over millions of runs; null if there is none. */
  openColumnStore?(env: Env): RunProjection | null;
}

/**
 * The object of one queue of one environment: the authority on its runs, from trigger to end. This class only
 * answers calls; `QueueCommits` performs what follows from them, and the other modules of this folder decide
 * and store.
 */
export function queueObject<Env extends ObjectBindings>(dependencies: QueueObjectDependencies<Env>) {
  return class extends DurableObject<Env> implements QueueRpc {
    readonly #commits: QueueCommits;
    readonly #core: QueueCore;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#commits = new QueueCommits(ctx, stubs(env), {
        querySide: dependencies.openProjection(env),
        columnStore: dependencies.openColumnStore?.(env) ?? null,
      });
      this.#core = this.#commits.core;
    }

    async triggerRuns(
      ref: QueueRef,
      declaration: QueueDeclaration,
      items: TriggerItem[],
    ): Promise<TriggerResult[]> {
      // A queue that only keeps idempotency keys exists, but the environment does not know it.
      const isFirst = !this.#core.exists || this.#core.context.version === 0;
      if (!this.#core.exists) this.#core.create(ref, declaration);
      const results = await this.#commits.group((q) => {
        this.#core.declare(declaration);
        return items.map((item) => triggerRun(q, item));
      });
      // Otherwise a bulk action that follows at once would not ask this queue for its runs.
      const introduction = isFirst
        ? this.#commits.environment.introduce()
        : this.#commits.environment.introduction;
      if (introduction) await introduction;
      const waiting = results.map(async (result, index) => {
        const { runId, waitMs } = items[index] as TriggerItem;
        if (!waitMs || result.error) return;
        // A run that was created by this call has not ended yet: nothing has happened since its commit.
        const created = !result.cached && result.runId === runId;
        result.finished = created
          ? await this.#endWithin(runId, waitMs)
          : await this.#endOf(result.runId, waitMs);
      });
      await Promise.all(waiting);
      return results;
    }

    async claimIdempotencyKey(
      ref: QueueRef,
      claim: { task: string; key: string; runId: string; expiresAt: number },
    ): Promise<{ runId: string; claimed: boolean; expiresAt: number }> {
      if (!this.#core.exists) this.#core.create(ref, {});
      const { runId, expiresAt } = await this.#commits.group((q) => claimKey(q, claim));
      return { runId, claimed: runId === claim.runId, expiresAt };
    }

    async claimDebounceKey(ref: QueueRef, claim: DebounceClaim): Promise<string> {
      if (!this.#core.exists) this.#core.create(ref, {});
      return this.#commits.group((q) => claimDebounce(q, claim));
    }

    async pushDebounced(environmentKey: string, runId: string, push: DebouncePush): Promise<DebounceVerdict> {
      if (!this.#serves(environmentKey)) return "missing";
      return this.#commits.group((q) => pushDebounced(q, runId, push));
    }

    async resetIdempotencyKey(
      environmentKey: string,
      task: string,
      key: string,
    ): Promise<{ reset: boolean }> {
      if (!this.#serves(environmentKey)) return { reset: false };
      return { reset: await this.#commits.group((q) => resetKey(q, task, key)) };
    }

    async retrieveRun(environmentKey: string, runId: string): Promise<RunRecord | null> {
      return this.#serves(environmentKey) ? retrieveRun(this.#core.context, runId) : null;
    }

    async runTraces(environmentKey: string, runIds: string[]): Promise<RunTrace[]> {
      if (!this.#serves(environmentKey)) return [];
      return runIds.flatMap((runId) => runTrace(this.#core.context, runId) ?? []);
    }

    async listen(environmentKey: string, interest: LiveInterest, runIds: string[]): Promise<RunRecord[]> {
      if (!this.#serves(environmentKey)) return [];
      this.#commits.live.listen(interest);
      return runIds.flatMap((runId) => retrieveRun(this.#core.context, runId) ?? []);
    }

    async runHold(environmentKey: string, runId: string): Promise<RunHold | null> {
      return this.#serves(environmentKey) ? holdOf(this.#core.context, runId, Date.now()) : null;
    }

    async runEvents(environmentKey: string, runId: string): Promise<RunEvent[] | null> {
      return this.#serves(environmentKey) ? runEvents(this.#core.context, runId) : null;
    }

    async waitForRun(
      environmentKey: string,
      runId: string,
      timeoutMs: number,
    ): Promise<RunFinished | null | RunError> {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      const finished = await this.#endOf(runId, timeoutMs);
      return finished === undefined ? runNotFound(runId) : finished;
    }

    async cancelRun(environmentKey: string, runId: string, reason: string, options: CancelOptions = {}) {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      return this.#commits.group((q) => cancelRun(q, runId, reason, options));
    }

    async rescheduleRun(
      environmentKey: string,
      runId: string,
      delayUntil: number,
    ): Promise<RunRecord | RunError> {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      return this.#commits.group(
        (q) => rescheduleRun(q, runId, delayUntil) ?? (retrieveRun(q, runId) as RunRecord),
      );
    }

    async addTags(environmentKey: string, runId: string, tags: string[]) {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      return this.#commits.group((q) => addTags(q, runId, tags));
    }

    async updateMetadata(environmentKey: string, runId: string, operations: MetadataOperation[]) {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      return this.#commits.group((q) => updateMetadata(q, runId, operations));
    }

    async applyReports(report: QueueReport): Promise<QueueReportResult> {
      if (!this.#core.exists) return answerUnknown(report);
      try {
        return await this.#commits.group((q) => applyReport(q, report));
      } catch (error) {
        if (isStorageFailure(error)) throw error;
        return applyOneByOne(report, (work) => this.#commits.commit(work));
      }
    }

    async claimOperation(environmentKey: string, claim: OperationClaim) {
      if (!this.#serves(environmentKey)) return runNotFound(claim.runId);
      return this.#commits.group((q) => claimOperation(q, claim));
    }

    async completeOperation(
      environmentKey: string,
      completed: CompletedOperation & { attempt: number },
    ): Promise<"ok" | "gone"> {
      if (!this.#serves(environmentKey)) return "gone";
      return this.#commits.group((q) => completeOperation(q, completed));
    }

    async changeSettings(
      ref: QueueRef,
      declaration: QueueDeclaration,
      change: QueueChange,
    ): Promise<QueueStats> {
      if (!this.#core.exists) this.#core.create(ref, declaration);
      // The permits were granted under the settings so far.
      this.#core.prefetched.revoke();
      const stats = await this.#commits.group(() => {
        this.#core.declare(declaration);
        this.#core.change(change);
        return this.#stats();
      });
      // Other partitions start runs under the old settings until the environment knows the new ones.
      await this.#commits.environment.report();
      return stats;
    }

    async queueStats(environmentKey: string): Promise<QueueStats | null> {
      return this.#serves(environmentKey) ? this.#stats() : null;
    }

    async queueMetrics(environmentKey: string, from: number, to: number): Promise<MetricsMinute[]> {
      return this.#serves(environmentKey) ? this.#core.context.metrics.read(from, to) : [];
    }

    async dequeueRuns(grant: DequeueGrant): Promise<QueueState & Leased & { refused?: boolean }> {
      if (!this.#core.acceptEpoch(grant.epoch) || this.#core.isOutdated(grant))
        return { ...this.#commits.environment.peek(), runs: [], started: 0, refused: true };
      this.#core.reportsKeys = grant.shared?.elsewhere !== undefined;
      const { runs, started } = this.#commits.commit((q) => dequeueRuns(q, grant), { report: false });
      // Permits are taken with a new version only: of two states with the same version, the environment takes the one with
      // fewer permits left as the later one.
      const prefetched = runs.length > 0 ? grant.prefetched : 0;
      this.#core.prefetched.give({ ...grant, prefetched }, this.#core.context.counters.held);
      this.#commits.leasing.leaseSoon();
      return { ...this.#commits.environment.answer(), runs, started };
    }

    async sendChanges(environmentKey: string): Promise<void> {
      if (this.#serves(environmentKey)) await this.#commits.sendChanges();
    }

    async reproject(environmentKey: string, id: string): Promise<Reprojection | null> {
      if (!this.#serves(environmentKey)) return null;
      const progress = this.#commits.commit((q) => startReprojection(q, id));
      if (!progress.done) this.#commits.reproject();
      return progress;
    }

    async syncState(epoch: number): Promise<QueueState | null> {
      if (!this.#core.exists) return null;
      this.#core.acceptEpoch(epoch);
      return this.#commits.environment.answer();
    }

    async revokePrefetched(reportKeys: boolean): Promise<QueueState | null> {
      if (!this.#core.exists) return null;
      if (reportKeys) this.#core.reportsKeys = true;
      this.#core.prefetched.revoke();
      return this.#commits.environment.answer();
    }

    async deploymentPromoted(
      _deployment: DeploymentRef,
      tasks: string[],
      declaration: QueueDeclaration,
      changes: QueueChanges | undefined,
      limits: Record<string, string[]>,
    ): Promise<QueueState | null> {
      if (!this.#core.exists) return null;
      // The permits were granted under the settings so far.
      this.#commits.leasing.drop();
      this.#commits.commit(() => {
        this.#core.declare(declaration);
        this.#core.adopt(changes);
      });
      const known = new Set(tasks);
      while (this.#commits.commit((q) => releaseParked(q, known, limits, TIMER_BATCH)))
        await scheduler.wait(0);
      return this.#commits.environment.answer();
    }

    async hostSessionLost(sessionId: string): Promise<void> {
      if (!this.#core.exists) return;
      if (this.#core.prefetched.grant?.sessionId === sessionId) this.#commits.leasing.drop();
      const reason = "the host stopped answering or was restarted";
      while (this.#commits.commit((q) => loseSession(q, sessionId, reason, TIMER_BATCH)) === TIMER_BATCH)
        await scheduler.wait(0);
    }

    async returnRuns(leases: { runId: string; token: number }[]): Promise<void> {
      if (this.#core.exists) await this.#commits.group((q) => returnRuns(q, leases));
    }

    override async alarm(info?: AlarmInvocationInfo): Promise<void> {
      await this.#commits.alarmFired(info);
    }

    /**
     * Waits for a run's end. Returns null if it has not ended within that time; undefined if there is no such
     * run here.
     */
    async #endOf(runId: string, timeoutMs: number): Promise<RunFinished | null | undefined> {
      const end = endOf(this.#core.context, runId);
      return end === null ? this.#endWithin(runId, timeoutMs) : end;
    }

    /** Waits for the end of a run that has not ended. */
    async #endWithin(runId: string, timeoutMs: number): Promise<RunFinished | null> {
      if (timeoutMs === 0 || !(await this.#commits.waiters.wait(runId, timeoutMs))) return null;
      return endOf(this.#core.context, runId) ?? null;
    }

    #stats(): QueueStats {
      const { ref, counters, settings, stored } = this.#core.context;
      return {
        queue: ref.queue,
        pending: counters.pending,
        running: counters.running,
        notYetQueued: counters.notYetQueued,
        settings,
        declared: stored.declared,
        overrides: stored.overrides,
      };
    }

    #serves(environmentKey: string): boolean {
      return this.#core.exists && this.#core.context.ref.environment.key === environmentKey;
    }
  };
}
