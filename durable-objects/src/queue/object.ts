import { DurableObject } from "cloudflare:workers";
import type { CompletedOperation, MetadataOperation } from "@acme/sdk/contract";
import type { DispatcherRpc } from "../dispatcher/rpc.ts";
import { Alarm } from "../lib/alarm.ts";
import { GroupCommit } from "../lib/group-commit.ts";
import { NEAR_MS, RefillTimer } from "../lib/refill-timer.ts";
import { objectSql } from "../lib/sql.ts";
import type { LiveInterest } from "../live/rpc.ts";
import { poolOf } from "../routing/pool.ts";
import type { DeploymentRef, QueueRef } from "../routing/refs.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { loseSession, returnRuns } from "./attempts.ts";
import { type CancelOptions, cancelRun } from "./cancel.ts";
import { addTags, rescheduleRun, updateMetadata } from "./changes.ts";
import type { Effects, QueueContext } from "./context.ts";
import { QueueCore } from "./core.ts";
import { claimDebounce, pushDebounced } from "./debounce.ts";
import { dequeueRuns, type Leased } from "./dequeue.ts";
import { EnvironmentLink } from "./environment-link.ts";
import { claimKey, resetKey } from "./idempotency.ts";
import { LiveNotifier } from "./live-notifier.ts";
import { deliverMessage } from "./message-delivery.ts";
import { forgetMessages, messagesAfter } from "./messages.ts";
import { Messenger } from "./messenger.ts";
import { releaseParked } from "./parked-runs.ts";
import { PrefetchedLeasing } from "./prefetched-leasing.ts";
import { pendingProjection, projectionCursor, projectionSent } from "./projection.ts";
import { Projector } from "./projector.ts";
import { answerUnknown, applyOneByOne, applyReport, isStorageFailure } from "./reports.ts";
import { isReprojecting, Reprojector, startReprojection } from "./reprojection.ts";
import { Waiters } from "./result-polls.ts";
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
import { nextTimer, runTimers, TIMER_BATCH } from "./timers.ts";
import { triggerRun } from "./trigger.ts";

/** How often the alarm checks until the query side has every change and the environment knows the state. */
const SAFETY_MS = 5_000;

export interface QueueObjectDependencies<Env extends ObjectBindings> {
  openProjection(env: Env): RunProjection;
}

/**
 * The object of one queue of one environment: the authority on its runs, from trigger to end. This class only carries
 * messages in and out; the modules beside it decide and store.
 */
export function queueObject<Env extends ObjectBindings>(dependencies: QueueObjectDependencies<Env>) {
  return class extends DurableObject<Env> implements QueueRpc {
    readonly #stubs: Stubs;
    readonly #core: QueueCore;
    readonly #alarm: Alarm;
    readonly #group: GroupCommit<QueueContext>;
    readonly #waiters = new Waiters();
    readonly #projector: Projector;
    readonly #reprojector: Reprojector;
    readonly #live: LiveNotifier;
    readonly #messenger: Messenger;
    readonly #environment: EnvironmentLink;
    readonly #leasing: PrefetchedLeasing;
    readonly #refillTimer = new RefillTimer(() => this.#commit(() => {}));
    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#stubs = stubs(env);
      this.#core = new QueueCore({ sql: objectSql(ctx.storage), now: Date.now, random: Math.random });
      this.#alarm = new Alarm(ctx.storage);
      ctx.blockConcurrencyWhile(() => this.#alarm.load());
      this.#group = new GroupCommit((work) =>
        this.#leasing.deliver(
          this.#commit((q) => {
            work(q);
            return this.#leasing.lease(q);
          }),
        ),
      );
      this.#live = new LiveNotifier(
        {
          now: () => ({ version: this.#core.context.version, seq: Number.MAX_SAFE_INTEGER }),
          projected: () => projectionCursor(this.#core.context),
          next: (from, limit) => pendingProjection(this.#core.context, from, limit),
        },
        (rows, life) => {
          const { queueKey, environment } = this.#core.context.ref;
          return this.#stubs.live(environment.key).runsChanged(queueKey, rows, life);
        },
      );
      const projection = dependencies.openProjection(env);
      this.#projector = new Projector(
        {
          next: (from, limit) => pendingProjection(this.#core.context, from, limit),
          sent: (cursor) => this.#commit((q) => projectionSent(q, this.#live.limit(cursor))),
        },
        projection,
      );
      this.#reprojector = new Reprojector(
        { context: () => this.#core.context, commit: (work) => this.#commit(work) },
        projection,
      );
      this.#messenger = new Messenger(
        {
          after: (id, limit) => messagesAfter(this.#core.context, id, limit),
          delivered: (ids, results) =>
            this.#commit((q) => {
              forgetMessages(q, ids);
              for (const { message, result } of results)
                if (message.type === "subscribe") completeOperation(q, { ...message.waiter, result });
            }),
        },
        (message) => deliverMessage(this.#stubs, this.#core.context.ref.environment.key, message),
      );
      const waitUntil = (work: Promise<unknown>) => this.ctx.waitUntil(work);
      this.#environment = new EnvironmentLink(
        this.#core,
        () => this.#stubs.environment(this.#core.context.ref.environment.key),
        waitUntil,
      );
      this.#leasing = new PrefetchedLeasing({
        core: this.#core,
        commit: (work) => this.#commit(work),
        dispatcher: () => this.#dispatcher(),
        permitsDropped: () => this.#environment.changed(),
        waitUntil,
      });
    }

    async triggerRuns(
      ref: QueueRef,
      declaration: QueueDeclaration,
      items: TriggerItem[],
    ): Promise<TriggerResult[]> {
      if (!this.#core.exists) this.#core.create(ref, declaration);
      const results = await this.#group.run((q) => {
        this.#core.declare(declaration);
        return items.map((item) => triggerRun(q, item));
      });
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
      const { runId, expiresAt } = await this.#group.run((q) => claimKey(q, claim));
      return { runId, claimed: runId === claim.runId, expiresAt };
    }

    async claimDebounceKey(ref: QueueRef, claim: DebounceClaim): Promise<string> {
      if (!this.#core.exists) this.#core.create(ref, {});
      return this.#group.run((q) => claimDebounce(q, claim));
    }

    async pushDebounced(environmentKey: string, runId: string, push: DebouncePush): Promise<DebounceVerdict> {
      if (!this.#serves(environmentKey)) return "missing";
      return this.#group.run((q) => pushDebounced(q, runId, push));
    }

    async resetIdempotencyKey(
      environmentKey: string,
      task: string,
      key: string,
    ): Promise<{ reset: boolean }> {
      if (!this.#serves(environmentKey)) return { reset: false };
      return { reset: await this.#group.run((q) => resetKey(q, task, key)) };
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
      this.#live.listen(interest);
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
      return this.#group.run((q) => cancelRun(q, runId, reason, options));
    }

    async rescheduleRun(
      environmentKey: string,
      runId: string,
      delayUntil: number,
    ): Promise<RunRecord | RunError> {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      return this.#group.run(
        (q) => rescheduleRun(q, runId, delayUntil) ?? (retrieveRun(q, runId) as RunRecord),
      );
    }

    async addTags(environmentKey: string, runId: string, tags: string[]) {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      return this.#group.run((q) => addTags(q, runId, tags));
    }

    async updateMetadata(environmentKey: string, runId: string, operations: MetadataOperation[]) {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      return this.#group.run((q) => updateMetadata(q, runId, operations));
    }

    async applyReports(report: QueueReport): Promise<QueueReportResult> {
      if (!this.#core.exists) return answerUnknown(report);
      try {
        return await this.#group.run((q) => applyReport(q, report));
      } catch (error) {
        if (isStorageFailure(error)) throw error;
        return applyOneByOne(report, (work) => this.#commit(work));
      }
    }

    async claimOperation(environmentKey: string, claim: OperationClaim) {
      if (!this.#serves(environmentKey)) return runNotFound(claim.runId);
      return this.#group.run((q) => claimOperation(q, claim));
    }

    async completeOperation(
      environmentKey: string,
      completed: CompletedOperation & { attempt: number },
    ): Promise<"ok" | "gone"> {
      if (!this.#serves(environmentKey)) return "gone";
      return this.#group.run((q) => completeOperation(q, completed));
    }

    async changeSettings(
      ref: QueueRef,
      declaration: QueueDeclaration,
      change: QueueChange,
    ): Promise<QueueStats> {
      if (!this.#core.exists) this.#core.create(ref, declaration);
      // The permits were granted under the settings so far.
      this.#core.prefetched.revoke();
      const stats = await this.#group.run(() => {
        this.#core.declare(declaration);
        this.#core.change(change);
        return this.#stats();
      });
      // Other partitions start runs under the old settings until the environment knows the new ones.
      await this.#environment.report();
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
        return { ...this.#environment.peek(), runs: [], started: 0, refused: true };
      this.#core.reportsKeys = grant.shared?.elsewhere !== undefined;
      const { runs, started } = this.#commit((q) => dequeueRuns(q, grant), { report: false });
      // Permits are taken with a new version only: of two states with the same version, the environment takes the one with
      // fewer permits left as the later one.
      const prefetched = runs.length > 0 ? grant.prefetched : 0;
      this.#core.prefetched.give({ ...grant, prefetched }, this.#core.context.counters.held);
      this.#leasing.leaseSoon();
      return { ...this.#environment.answer(), runs, started };
    }

    async reproject(environmentKey: string, id: string): Promise<Reprojection | null> {
      if (!this.#serves(environmentKey)) return null;
      const progress = this.#commit((q) => startReprojection(q, id));
      if (!progress.done) {
        // If this object dies, its alarm continues.
        this.#alarm.by(Date.now() + SAFETY_MS);
        this.ctx.waitUntil(this.#reproject());
      }
      return progress;
    }

    async syncState(epoch: number): Promise<QueueState | null> {
      if (!this.#core.exists) return null;
      this.#core.acceptEpoch(epoch);
      return this.#environment.answer();
    }

    async revokePrefetched(reportKeys: boolean): Promise<QueueState | null> {
      if (!this.#core.exists) return null;
      if (reportKeys) this.#core.reportsKeys = true;
      this.#core.prefetched.revoke();
      return this.#environment.answer();
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
      this.#leasing.drop();
      this.#commit(() => {
        this.#core.declare(declaration);
        this.#core.adopt(changes);
      });
      const known = new Set(tasks);
      while (this.#commit((q) => releaseParked(q, known, limits, TIMER_BATCH))) await scheduler.wait(0);
      return this.#environment.answer();
    }

    async hostSessionLost(sessionId: string): Promise<void> {
      if (!this.#core.exists) return;
      if (this.#core.prefetched.grant?.sessionId === sessionId) this.#leasing.drop();
      const reason = "the host stopped answering or was restarted";
      while (this.#commit((q) => loseSession(q, sessionId, reason, TIMER_BATCH)) === TIMER_BATCH)
        await scheduler.wait(0);
    }

    async returnRuns(leases: { runId: string; token: number }[]): Promise<void> {
      if (this.#core.exists) await this.#group.run((q) => returnRuns(q, leases));
    }

    override async alarm(): Promise<void> {
      this.#alarm.fired();
      if (!this.#core.exists) return;
      try {
        while (this.#commit((q) => runTimers(q))) await scheduler.wait(0);
        if (!(await this.#messenger.send())) this.#alarm.by(Date.now() + SAFETY_MS);
        this.#core.context.metrics.flush();
        this.#live.wake();
        await this.#projector.flush();
        if (!(await this.#environment.publish())) this.#alarm.by(Date.now() + SAFETY_MS);
      } catch (error) {
        console.error(`Alarm of queue ${this.#core.context.ref.queueKey} failed; it is tried again`, error);
        this.#alarm.by(Date.now() + SAFETY_MS);
      }
      await this.#reproject();
      const next = nextTimer(this.#core.context);
      if (next !== null) this.#alarm.by(next);
      // Work that nobody asks for is reported again: the environment or the dispatcher may have lost its memory.
      if (this.#core.state.ready > 0) {
        this.#environment.forget();
        this.#alarm.by(Date.now() + SAFETY_MS);
      }
    }

    /** Sends rows again for as long as a rebuild of the query side asks for it. The alarm begins each turn after the first. */
    async #reproject(): Promise<void> {
      if (!isReprojecting(this.#core.context)) return;
      try {
        if (!(await this.#reprojector.run())) this.#alarm.by(Date.now());
      } catch (error) {
        console.error("The query side could not be reached; the rebuild continues later", error);
        this.#alarm.by(Date.now() + SAFETY_MS);
      }
    }

    /** Waits for a run's end. Null: it has not ended within that time; undefined: there is no such run here. */
    async #endOf(runId: string, timeoutMs: number): Promise<RunFinished | null | undefined> {
      const end = endOf(this.#core.context, runId);
      return end === null ? this.#endWithin(runId, timeoutMs) : end;
    }

    /** Waits for the end of a run that has not ended. */
    async #endWithin(runId: string, timeoutMs: number): Promise<RunFinished | null> {
      if (timeoutMs === 0 || !(await this.#waiters.wait(runId, timeoutMs))) return null;
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

    /** The dispatcher of the hosts that execute this queue's runs. */
    #dispatcher(): DispatcherRpc {
      return this.#stubs.dispatcher(poolOf(this.#core.context.ref.environment));
    }

    #commit<T>(work: (q: QueueContext) => T, options = { report: true }): T {
      const { result, effects } = this.#core.commit(work);
      this.#settle(effects, options.report);
      return result;
    }

    /** Does what a commit leaves to do. It sets the alarm in the same turn, so that both are in one flush to disk. */
    #settle(effects: Effects, report: boolean): void {
      if (effects.dueAt !== null) this.#alarm.by(effects.dueAt);
      if (effects.refillAt !== null) this.#refill(effects.refillAt);
      if (effects.messages) {
        // If this object dies before they are sent, its alarm sends them.
        this.#alarm.by(Date.now() + SAFETY_MS);
        this.ctx.waitUntil(this.#messenger.send());
      }
      for (const { sessionId, notice } of effects.notices) {
        const sent = this.#dispatcher().notifyHost(sessionId, [notice]);
        // A notice may be lost: the verdict on the next heartbeat says that a run is canceled, and the one on a suspension
        // brings results.
        this.ctx.waitUntil(sent.catch(() => {}));
      }
      if (!effects.changed) return;
      this.#alarm.by(Date.now() + SAFETY_MS);
      this.#projector.schedule();
      this.#live.changed();
      if (report) this.#environment.changed();
      this.#leasing.leaseSoon();
      for (const runId of effects.finished) this.#waiters.finished(runId);
    }

    /** A rate limit allows more starts at this time. */
    #refill(at: number): void {
      if (at > Date.now() + NEAR_MS) {
        this.#alarm.by(at);
        return;
      }
      // The alarm is for the case that this object dies.
      this.#alarm.by(at + NEAR_MS);
      this.#refillTimer.by(at);
    }

    #serves(environmentKey: string): boolean {
      return this.#core.exists && this.#core.context.ref.environment.key === environmentKey;
    }
  };
}
