import { DurableObject } from "cloudflare:workers";
import {
  type CompletedOperation,
  isFinal,
  type MetadataOperation,
  type OperationResult,
  parseRunId,
} from "@acme/sdk/contract";
import type { EnvironmentRpc } from "../environment/rpc.ts";
import { Alarm } from "../lib/alarm.ts";
import { GroupCommit } from "../lib/group-commit.ts";
import { NEAR_MS, RefillTimer } from "../lib/refill-timer.ts";
import { objectSql } from "../lib/sql.ts";
import { StatePublisher } from "../lib/state-publisher.ts";
import { Throttle } from "../lib/throttle.ts";
import type { LiveInterest } from "../live/rpc.ts";
import type { DeploymentRef, QueueRef } from "../routing/refs.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { loseSession, returnRuns } from "./attempts.ts";
import { cancelRun } from "./cancel.ts";
import { addTags, rescheduleRun, updateMetadata } from "./changes.ts";
import { type Effects, findRun, type QueueContext } from "./context.ts";
import { QueueCore } from "./core.ts";
import { claimDebounce, pushDebounced } from "./debounce.ts";
import { dequeueRuns, type Leased } from "./dequeue.ts";
import { claimKey, resetKey } from "./idempotency.ts";
import { LiveNotifier } from "./live-notifier.ts";
import { forgetMessages, type Message, messagesAfter } from "./messages.ts";
import { Messenger } from "./messenger.ts";
import { releaseParked } from "./parked-runs.ts";
import { pendingProjection, projectionCursor, projectionSent } from "./projection.ts";
import { Projector } from "./projector.ts";
import { answerUnknown, applyOneByOne, applyReport, isStorageFailure } from "./reports.ts";
import { Waiters } from "./result-polls.ts";
import type {
  DebounceClaim,
  DebouncePush,
  DebounceVerdict,
  DequeueGrant,
  LeasedRun,
  QueueChange,
  QueueChanges,
  QueueDeclaration,
  QueueReport,
  QueueReportResult,
  QueueRpc,
  QueueState,
  QueueStats,
  RunError,
  RunEvent,
  RunFinished,
  RunHold,
  RunProjection,
  RunRecord,
  TriggerItem,
  TriggerResult,
} from "./rpc.ts";
import { holdOf } from "./run-hold.ts";
import { runNotFound } from "./run-not-found.ts";
import { retrieveRun, runEvents } from "./run-views.ts";
import { finishedOf } from "./run-waiters.ts";
import { claimOperation, completeOperation, type OperationClaim } from "./suspension.ts";
import { nextTimer, runTimers, TIMER_BATCH } from "./timers.ts";
import { triggerRun } from "./trigger.ts";

/** Until the query side has every change and the environment every state, the alarm looks after it this often. */
const SAFETY_MS = 5_000;

/**
 * The environment hears of new work at once, but of a stream of it in pieces: each time it hears, three objects and a host
 * have something to do. That a slot is free can wait for what comes next.
 */
const REPORTING = { gapMs: 4, lazyMs: 10 };

export interface QueueObjectDependencies<Env extends ObjectBindings> {
  openProjection(env: Env): RunProjection;
}

/**
 * The object of one queue of one environment: the authority on its runs, from trigger to end. This class only carries
 * messages in and out; what is decided, and how it is stored, lies in the modules beside it.
 */
export function queueObject<Env extends ObjectBindings>(dependencies: QueueObjectDependencies<Env>) {
  return class extends DurableObject<Env> implements QueueRpc {
    readonly #stubs: Stubs;
    readonly #core: QueueCore;
    readonly #alarm: Alarm;
    readonly #group: GroupCommit<QueueContext>;
    readonly #waiters = new Waiters();
    readonly #projector: Projector;
    readonly #live: LiveNotifier;
    readonly #messenger: Messenger;
    readonly #environment: StatePublisher<QueueState>;
    readonly #reporting = new Throttle(() => this.ctx.waitUntil(this.#environment.publish()), REPORTING);
    /** A stream of runs is leased in pieces, the larger the denser it is. */
    #leaseAgainAt = 0;
    #leaseTimer: ReturnType<typeof setTimeout> | undefined;
    readonly #refillTimer = new RefillTimer(() => this.#commit(() => {}));
    /** What the environment was last told, in this life of the object. */
    #lastReported: QueueState | null = null;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#stubs = stubs(env);
      this.#core = new QueueCore({ sql: objectSql(ctx.storage), now: Date.now, random: Math.random });
      this.#alarm = new Alarm(ctx.storage);
      ctx.blockConcurrencyWhile(() => this.#alarm.load());
      this.#group = new GroupCommit((work) =>
        this.#deliverRuns(
          this.#commit((q) => {
            work(q);
            return this.#leasePrefetched(q);
          }),
        ),
      );
      this.#live = new LiveNotifier(
        {
          now: () => ({ version: this.#core.context.version, seq: Number.MAX_SAFE_INTEGER }),
          projected: () => projectionCursor(this.#core.context),
          next: (from, limit) => pendingProjection(this.#core.context, from, limit),
        },
        (rows) => {
          const { queueKey, environment } = this.#core.context.ref;
          return this.#stubs.live(environment.key).runsChanged(queueKey, rows);
        },
      );
      this.#projector = new Projector(
        {
          next: (from, limit) => pendingProjection(this.#core.context, from, limit),
          sent: (cursor) => this.#commit((q) => projectionSent(q, this.#live.limit(cursor))),
        },
        dependencies.openProjection(env),
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
        (message) => this.#deliver(message),
      );
      this.#environment = new StatePublisher(
        () => (this.#isReported() ? null : this.#stateToReport()),
        async (state) => {
          await this.#environmentObject().reportQueue(state);
          this.#reported(state);
        },
      );
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
      for (const [index, { waitMs }] of items.entries()) {
        const result = results[index] as TriggerResult;
        if (waitMs && !result.error) result.finished = await this.#endOf(result.runId, waitMs);
      }
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

    async cancelRun(environmentKey: string, runId: string, reason: string, children = true) {
      if (!this.#serves(environmentKey)) return runNotFound(runId);
      return this.#group.run((q) => cancelRun(q, runId, reason, children));
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
      // They were for what held before.
      this.#core.prefetched.revoke();
      const stats = await this.#group.run(() => {
        this.#core.declare(declaration);
        this.#core.change(change);
        return this.#stats();
      });
      // Other partitions may start something until the environment knows.
      const state = this.#stateToReport();
      await this.#environmentObject().reportQueue(state);
      this.#reported(state);
      return stats;
    }

    async queueStats(environmentKey: string): Promise<QueueStats | null> {
      return this.#serves(environmentKey) ? this.#stats() : null;
    }

    async dequeueRuns(grant: DequeueGrant): Promise<QueueState & Leased> {
      if (!this.#core.acceptEpoch(grant.epoch) || this.#core.isOutdated(grant))
        return { ...this.#stateToReport(), runs: [], started: 0 };
      this.#core.reportsKeys = grant.shared?.elsewhere !== undefined;
      const { runs, started } = this.#commit((q) => dequeueRuns(q, grant), { tell: false });
      // Permits in advance come with a new version only: the environment tells states with the same one apart by what is left.
      const prefetched = runs.length > 0 ? grant.prefetched : 0;
      this.#core.prefetched.give({ ...grant, prefetched }, this.#core.context.counters.held);
      this.#leaseSoon();
      // The answer tells the environment this state.
      const state = this.#stateToReport();
      this.#reported(state);
      return { ...state, runs, started };
    }

    async syncState(epoch: number): Promise<QueueState | null> {
      if (!this.#core.exists) return null;
      this.#core.acceptEpoch(epoch);
      const state = this.#stateToReport();
      this.#reported(state);
      return state;
    }

    async revokePrefetched(reportKeys: boolean): Promise<QueueState | null> {
      if (!this.#core.exists) return null;
      if (reportKeys) this.#core.reportsKeys = true;
      this.#core.prefetched.revoke();
      const state = this.#stateToReport();
      this.#reported(state);
      return state;
    }

    async deploymentPromoted(
      _deployment: DeploymentRef,
      tasks: string[],
      declaration: QueueDeclaration,
      changes: QueueChanges | undefined,
    ): Promise<QueueState | null> {
      if (!this.#core.exists) return null;
      // They were for what held before.
      this.#dropPrefetched();
      this.#commit(() => {
        this.#core.declare(declaration);
        this.#core.adopt(changes);
      });
      const known = new Set(tasks);
      while (this.#commit((q) => releaseParked(q, known, TIMER_BATCH))) await scheduler.wait(0);
      const state = this.#stateToReport();
      this.#reported(state);
      return state;
    }

    async hostSessionLost(sessionId: string): Promise<void> {
      if (!this.#core.exists) return;
      if (this.#core.prefetched.grant?.sessionId === sessionId) this.#dropPrefetched();
      const reason = "the host stopped answering or was started anew";
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
        this.#live.wake();
        await this.#projector.flush();
        if (!(await this.#environment.publish())) this.#alarm.by(Date.now() + SAFETY_MS);
      } catch (error) {
        console.error(`Alarm of queue ${this.#core.context.ref.queueKey} failed; it is tried again`, error);
        this.#alarm.by(Date.now() + SAFETY_MS);
      }
      const next = nextTimer(this.#core.context);
      if (next !== null) this.#alarm.by(next);
      // Work that nobody asks for is told again: the environment or the dispatcher may have lost its memory.
      if (this.#core.state.ready > 0) {
        this.#lastReported = null;
        this.#alarm.by(Date.now() + SAFETY_MS);
      }
    }

    /** What came of a run; null: it isn't over within that time. Undefined: there is no such run here. */
    async #endOf(runId: string, timeoutMs: number): Promise<RunFinished | null | undefined> {
      const run = findRun(this.#core.context, runId);
      if (!run) return undefined;
      if (isFinal(run.status)) return finishedOf(this.#core.context, run);
      if (timeoutMs === 0 || !(await this.#waiters.wait(runId, timeoutMs))) return null;
      const finished = findRun(this.#core.context, runId);
      return finished ? finishedOf(this.#core.context, finished) : null;
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

    #commit<T>(work: (q: QueueContext) => T, options = { tell: true }): T {
      const { result, effects } = this.#core.commit(work);
      this.#settle(effects, options.tell);
      return result;
    }

    /** How many runs prefetched permits allow to lease now. With a backlog the environment hands out larger pieces. */
    #leasable(): number {
      const { counters, settings } = this.#core.context;
      return settings.paused || counters.ready > this.#core.usable ? 0 : counters.ready;
    }

    /** Leases them to their host. A stream of them is gathered, as each delivery wakes a host. */
    #leasePrefetched(q: QueueContext): LeasedRun[] {
      const { grant } = this.#core.prefetched;
      const max = this.#leasable();
      if (!grant || max === 0 || q.now < this.#leaseAgainAt) return [];
      this.#leaseAgainAt = q.now + (max > 1 ? REPORTING.lazyMs : REPORTING.gapMs);
      const { shared } = grant;
      const { unkeyed } = this.#core.prefetched.left(q.counters.held);
      return dequeueRuns(q, { ...grant, max, shared: shared && { ...shared, unkeyed } }).runs;
    }

    /** Leases what was not leased with its own commit. */
    #leaseSoon(): void {
      if (this.#leaseTimer !== undefined || this.#leasable() === 0) return;
      const ms = Math.max(0, this.#leaseAgainAt - Date.now());
      this.#leaseTimer = setTimeout(() => {
        this.#leaseTimer = undefined;
        this.#deliverRuns(this.#commit((q) => this.#leasePrefetched(q)));
      }, ms);
    }

    #deliverRuns(runs: LeasedRun[]): void {
      const { grant } = this.#core.prefetched;
      if (runs.length > 0 && grant) this.ctx.waitUntil(this.#deliverTo(grant, runs));
    }

    async #deliverTo(grant: DequeueGrant, runs: LeasedRun[]): Promise<void> {
      let answer = { delivered: false, more: false };
      try {
        answer = await this.#stubs.dispatcher().deliver(grant.sessionId, runs);
      } catch (error) {
        // Should they have arrived after all: their leases end here, and the host is told so.
        console.error(`Runs could not be delivered to host ${grant.hostId}; they are queued again`, error);
      }
      if (!answer.more && this.#core.prefetched.grant?.sessionId === grant.sessionId) this.#dropPrefetched();
      if (!answer.delivered) this.#commit((q) => returnRuns(q, runs));
    }

    #dropPrefetched(): void {
      this.#core.prefetched.revoke();
      if (!this.#isReported()) this.#reporting.request(this.#isNews());
    }

    /** The environment will count on it: the queue keeps to it from now on. */
    #stateToReport(): QueueState {
      const { state, prefetched } = this.#core;
      const { unkeyed } = state;
      prefetched.told({ all: state.held + state.prefetched, unkeyed: unkeyed.held + unkeyed.prefetched });
      return state;
    }

    /** Does what a commit leaves to do. The alarm is set in the same turn, so that it is part of the same flush to disk. */
    #settle(effects: Effects, tell: boolean): void {
      if (effects.dueAt !== null) this.#alarm.by(effects.dueAt);
      if (effects.refillAt !== null) this.#refill(effects.refillAt);
      if (effects.messages) {
        // Should this object die before they are sent, its alarm sends them.
        this.#alarm.by(Date.now() + SAFETY_MS);
        this.ctx.waitUntil(this.#messenger.send());
      }
      for (const { sessionId, notice } of effects.notices) {
        const told = this.#stubs.dispatcher().notifyHost(sessionId, [notice]);
        // A lost notice is made up for: a cancel by the verdict on the next heartbeat, a result by that on the suspension.
        this.ctx.waitUntil(told.catch(() => {}));
      }
      if (!effects.changed) return;
      this.#alarm.by(Date.now() + SAFETY_MS);
      this.#projector.schedule();
      this.#live.changed();
      if (tell && !this.#isReported()) this.#reporting.request(this.#isNews());
      this.#leaseSoon();
      for (const runId of effects.finished) this.#waiters.finished(runId);
    }

    /** A rate limit lets more start then. */
    #refill(at: number): void {
      if (at > Date.now() + NEAR_MS) {
        this.#alarm.by(at);
        return;
      }
      // The alarm is there if this object dies.
      this.#alarm.by(at + NEAR_MS);
      this.#refillTimer.by(at);
    }

    async #deliver(message: Message): Promise<OperationResult | null> {
      const { key } = this.#core.context.ref.environment;
      switch (message.type) {
        case "finished": {
          const { finished, waiter } = message;
          if (waiter.type === "batch") {
            const batch = this.#stubs.batch(waiter.batchId);
            await batch.runFinished(key, waiter.index, finished);
          } else {
            const { runId, attempt, number } = waiter;
            await this.#queueOf(runId)?.completeOperation(key, {
              runId,
              attempt,
              number,
              result: finished.result,
            });
          }
          return null;
        }
        case "subscribe": {
          const token = this.#stubs.waitpoint(message.tokenId);
          return token.waitForToken(key, message.waiter);
        }
        case "cancel":
          await this.#queueOf(message.runId)?.cancelRun(key, message.runId, message.reason);
          return null;
        case "cancel-batch": {
          const batch = this.#stubs.batch(message.batchId);
          await batch.cancelBatch(key, message.reason);
          return null;
        }
      }
    }

    /** Undefined: that is no run's id. */
    #queueOf(runId: string): QueueRpc | undefined {
      const queueKey = parseRunId(runId)?.queueKey;
      return queueKey === undefined ? undefined : this.#stubs.queue(queueKey);
    }

    /** The environment knows this state; a later one it may have been told meanwhile stands. */
    #reported(state: QueueState): void {
      if (this.#lastReported === null || this.#lastReported.seq <= state.seq) this.#lastReported = state;
    }

    /** The environment would do something with it now: there is work where there was none. */
    #isNews(): boolean {
      const { ready, parked } = this.#core.state;
      return (ready > 0 && !this.#lastReported?.ready) || (parked && !this.#lastReported?.parked);
    }

    #isReported(): boolean {
      const { held, ready, parked, prefetched, revision, unkeyed, keyed, misplacedKeys } = this.#core.state;
      const last = this.#lastReported;
      return (
        last !== null &&
        last.revision === revision &&
        (!this.#core.isSplit ||
          (last.unkeyed.held + last.unkeyed.prefetched === unkeyed.held + unkeyed.prefetched &&
            last.unkeyed.ready === unkeyed.ready &&
            last.keyed === keyed &&
            last.misplacedKeys === misplacedKeys)) &&
        last.held + last.prefetched === held + prefetched &&
        last.ready === ready &&
        last.parked === parked
      );
    }

    #serves(environmentKey: string): boolean {
      return this.#core.exists && this.#core.context.ref.environment.key === environmentKey;
    }

    #environmentObject(): EnvironmentRpc {
      return this.#stubs.environment(this.#core.context.ref.environment.key);
    }
  };
}
