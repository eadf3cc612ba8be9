import type { DispatcherRpc } from "../dispatcher/rpc.ts";
import { Alarm } from "../lib/alarm.ts";
import { GroupCommit } from "../lib/group-commit.ts";
import { log } from "../lib/log.ts";
import { NEAR_MS, RefillTimer } from "../lib/refill-timer.ts";
import { objectSql } from "../lib/sql.ts";
import { vitals } from "../lib/vitals.ts";
import { poolOf } from "../routing/pool.ts";
import type { Stubs } from "../routing/stubs.ts";
import { ColumnStoreFollower } from "./column-store.ts";
import type { Effects, QueueContext } from "./context.ts";
import { QueueCore } from "./core.ts";
import { EnvironmentLink } from "./environment-link.ts";
import { LiveNotifier } from "./live-notifier.ts";
import { deliverMessage } from "./message-delivery.ts";
import { forgetMessages, messagesAfter } from "./messages.ts";
import { Messenger } from "./messenger.ts";
import { PrefetchedLeasing } from "./prefetched-leasing.ts";
import { pendingProjection, projectionCursor, projectionSent } from "./projection.ts";
import { Projector } from "./projector.ts";
import { isReprojecting, Reprojector } from "./reprojection.ts";
import { Waiters } from "./result-polls.ts";
import type { RunProjection } from "./rpc.ts";
import { completeOperation } from "./suspension.ts";
import { nextTimer, runTimers } from "./timers.ts";

/** How often the alarm checks until the query side has every change and the environment knows the state. */
const SAFETY_MS = 5_000;

/**
 * Commits changes of a queue, and does the work that follows from each commit: it sends messages, updates the
 * query side, the listeners and the environment, leases under prefetched permits, and sets the alarm for the
 * next timer. If the object dies before that, its alarm does the rest.
 */
export class QueueCommits {
  readonly core: QueueCore;
  readonly waiters = new Waiters();
  readonly live: LiveNotifier;
  readonly environment: EnvironmentLink;
  readonly leasing: PrefetchedLeasing;
  readonly #ctx: DurableObjectState;
  readonly #stubs: Stubs;
  readonly #alarm: Alarm;
  readonly #group: GroupCommit<QueueContext>;
  readonly #projector: Projector;
  /** Null: no such store is configured. */
  readonly #columns: ColumnStoreFollower | null;
  readonly #reprojector: Reprojector;
  readonly #messenger: Messenger;
  readonly #refillTimer = new RefillTimer(() => this.commit(() => {}));

  constructor(
    ctx: DurableObjectState,
    stubs: Stubs,
    { querySide, columnStore }: { querySide: RunProjection; columnStore: RunProjection | null },
  ) {
    this.#ctx = ctx;
    this.#stubs = stubs;
    this.core = new QueueCore({ sql: objectSql(ctx.storage), now: Date.now, random: Math.random });
    this.#alarm = new Alarm(ctx.storage);
    ctx.blockConcurrencyWhile(() => this.#alarm.load());
    this.#group = new GroupCommit((work) =>
      this.leasing.deliver(
        this.commit((q) => {
          work(q);
          return this.leasing.lease(q);
        }),
      ),
    );
    const { core } = this;
    this.live = new LiveNotifier(
      {
        now: () => ({ version: core.context.version, seq: Number.MAX_SAFE_INTEGER }),
        projected: () => projectionCursor(core.context),
        next: (from, limit) => pendingProjection(core.context, from, limit),
      },
      (rows, life) => {
        const { queueKey, environment } = core.context.ref;
        return stubs.live(environment.key).runsChanged(queueKey, rows, life);
      },
    );
    this.#projector = new Projector(
      {
        next: (from, limit) => pendingProjection(core.context, from, limit),
        sent: (cursor) => this.commit((q) => projectionSent(q, this.live.limit(cursor))),
      },
      querySide,
    );
    this.#columns =
      columnStore &&
      new ColumnStoreFollower(
        {
          next: (from, limit) => pendingProjection(core.context, from, limit, "column store"),
          sent: (cursor) => this.commit((q) => projectionSent(q, cursor, "column store")),
        },
        columnStore,
        () => this.#alarm.by(Date.now() + SAFETY_MS),
      );
    this.#reprojector = new Reprojector(
      { context: () => core.context, commit: (work) => this.commit(work) },
      querySide,
    );
    this.#messenger = new Messenger(
      {
        after: (id, limit) => messagesAfter(core.context, id, limit),
        delivered: (ids, results) =>
          this.commit((q) => {
            forgetMessages(q, ids);
            for (const { message, result } of results)
              if (message.type === "subscribe") completeOperation(q, { ...message.waiter, result });
          }),
      },
      (message) => deliverMessage(stubs, core.context.ref.environment.key, message),
    );
    const waitUntil = (work: Promise<unknown>) => ctx.waitUntil(work);
    this.environment = new EnvironmentLink(
      core,
      () => stubs.environment(core.context.ref.environment.key),
      waitUntil,
    );
    this.leasing = new PrefetchedLeasing({
      core,
      commit: (work) => this.commit(work),
      dispatcher: () => this.#dispatcher(),
      permitsDropped: () => this.environment.changed(),
      waitUntil,
    });
  }

  /** Uses one transaction for all calls that arrive at once. Resolves when it is on disk. */
  group<T>(work: (q: QueueContext) => T): Promise<T> {
    return this.#group.run(work);
  }

  /** Uses a separate transaction. `report`: the environment is informed of the new state. */
  commit<T>(work: (q: QueueContext) => T, options = { report: true }): T {
    const { result, effects } = this.core.commit(work);
    this.#settle(effects, options.report);
    return result;
  }

  /**
   * Sends rows again, because a rebuild of the query side has begun. If this object dies, its alarm
   * continues.
   */
  reproject(): void {
    this.#alarm.by(Date.now() + SAFETY_MS);
    this.#ctx.waitUntil(this.#reproject());
  }

  /**
   * Sends what has changed until now to the query side, without waiting for more. Throws when it can't be
   * reached.
   */
  sendChanges(): Promise<void> {
    return this.#projector.flush();
  }

  /** Does what is due, and work that an earlier life of the object may not have finished. */
  async alarmFired(info?: AlarmInvocationInfo): Promise<void> {
    this.#alarm.fired(info);
    if (!this.core.exists) return;
    this.#noteVitals();
    try {
      while (this.commit((q) => runTimers(q))) await scheduler.wait(0);
      if (!(await this.#messenger.send())) this.#alarm.by(Date.now() + SAFETY_MS);
      this.core.context.metrics.flush();
      this.live.wake();
      await this.#projector.flush();
      if (!(await this.environment.publish())) this.#alarm.by(Date.now() + SAFETY_MS);
    } catch (error) {
      log.error("The alarm of a queue failed; it is tried again", {
        queue: this.core.context.ref.queueKey,
        error,
      });
      this.#alarm.by(Date.now() + SAFETY_MS);
    }
    if (this.#columns) this.#ctx.waitUntil(this.#columns.flush());
    await this.#reproject();
    const next = nextTimer(this.core.context);
    if (next !== null) this.#alarm.by(next);
    // Ready runs that nobody requests are reported again, because the environment or the dispatcher may have
    // lost its state.
    if (this.core.state.ready > 0) {
      this.environment.forget();
      this.#alarm.by(Date.now() + SAFETY_MS);
    }
  }

  /** Sends rows again for as long as a rebuild of the query side asks for it. The alarm begins each turn after the first. */
  async #reproject(): Promise<void> {
    if (!isReprojecting(this.core.context)) return;
    try {
      if (!(await this.#reprojector.run())) this.#alarm.by(Date.now());
    } catch (error) {
      log.error("The query side could not be reached; the rebuild continues later", {
        queue: this.core.context.ref.queueKey,
        error,
      });
      this.#alarm.by(Date.now() + SAFETY_MS);
    }
  }

  /** Returns the dispatcher of the hosts that execute this queue's runs. */
  #dispatcher(): DispatcherRpc {
    return this.#stubs.dispatcher(poolOf(this.core.context.ref.environment));
  }

  /**
   * Does the work that follows from a commit. It sets the alarm in the same turn, so that both are in one
   * flush to disk.
   */
  #settle(effects: Effects, report: boolean): void {
    if (effects.dueAt !== null) this.#alarm.by(effects.dueAt);
    if (effects.refillAt !== null) this.#refill(effects.refillAt);
    if (effects.messages) {
      // If this object dies before they are sent, its alarm sends them.
      this.#alarm.by(Date.now() + SAFETY_MS);
      this.#ctx.waitUntil(this.#messenger.send());
    }
    for (const { sessionId, notice } of effects.notices) {
      const sent = this.#dispatcher().notifyHost(sessionId, [notice]);
      // A notice may be lost: the verdict on the next heartbeat says that a run is canceled, and the one on a suspension
      // brings results.
      this.#ctx.waitUntil(sent.catch(() => {}));
    }
    if (!effects.changed) return;
    this.#alarm.by(Date.now() + SAFETY_MS);
    this.#noteVitals();
    this.#projector.schedule();
    this.#columns?.schedule();
    this.live.changed();
    if (report) this.environment.changed();
    this.leasing.leaseSoon();
    for (const runId of effects.finished) this.waiters.finished(runId);
  }

  #noteVitals(): void {
    const now = Date.now();
    const { context, prefetched } = this.core;
    const { counters, ref, version } = context;
    if (!vitals.isDue("queue", ref.queueKey, now)) return;
    const figures = {
      queued: counters.pending,
      executing: counters.running,
      prefetched_permits: prefetched.left(counters.held).all,
      unsent_versions: Math.max(0, version - projectionCursor(context).version),
    };
    vitals.note("queue", ref.queueKey, figures, now);
  }

  /** A rate limit allows more starts at this time. */
  #refill(at: number): void {
    if (at > Date.now() + NEAR_MS) {
      this.#alarm.by(at);
      return;
    }
    // The alarm covers the case that this object dies.
    this.#alarm.by(at + NEAR_MS);
    this.#refillTimer.by(at);
  }
}
