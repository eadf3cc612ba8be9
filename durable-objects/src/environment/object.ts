import { DurableObject } from "cloudflare:workers";
import type { CreateScheduleBody, UpdateScheduleBody } from "@acme/sdk/contract/api";
import { Alarm } from "../lib/alarm.ts";
import { log } from "../lib/log.ts";
import { NEAR_MS, RefillTimer } from "../lib/refill-timer.ts";
import { objectSql } from "../lib/sql.ts";
import { vitals } from "../lib/vitals.ts";
import type { LeasedRun, QueueState } from "../queue/rpc.ts";
import { queueKeyOf } from "../routing/keys.ts";
import { HOST_POOL, poolOf } from "../routing/pool.ts";
import type { EnvironmentRef } from "../routing/refs.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { EnvironmentCore } from "./core.ts";
import { CurrentManifest } from "./current-manifest.ts";
import { DispatcherLink } from "./dispatcher-link.ts";
import { QueueCalls } from "./queue-calls.ts";
import type {
  CurrentDeployment,
  EnvironmentRpc,
  EnvironmentSettings,
  EnvironmentState,
  EnvironmentStats,
  KnownQueue,
  LimitChange,
  LimitKeyState,
  LimitState,
  PromotedDeployment,
  QueueHold,
} from "./rpc.ts";
import type { EnvironmentSchedulesRpc } from "./schedules/rpc.ts";
import { Scheduler } from "./schedules/scheduler.ts";

const TICK_MS = 10_000;
/** The maximum number of runs reported as ready: a dispatcher that has assigned this many asks again. */
const MAX_REPORTED_READY = 1_000;

/** The object of one environment: its concurrency, fairness over its queues, current deployment and schedules. */
export function environmentObject<Env extends ObjectBindings>() {
  return class extends DurableObject<Env> implements EnvironmentRpc, EnvironmentSchedulesRpc {
    readonly #stubs: Stubs;
    readonly #core: EnvironmentCore;
    readonly #alarm: Alarm;
    readonly #schedules: Scheduler;
    readonly #dispatcher: DispatcherLink;
    /** Changes only through `promoteDeployment` and `updateEnvironment`, and through queues that report changes. */
    readonly #manifest = new CurrentManifest(() => this.#core);
    readonly #calls: QueueCalls;
    #poolName: string | null = null;
    readonly #refillTimer = new RefillTimer(() => this.#refill());

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#stubs = stubs(env);
      this.#core = new EnvironmentCore(
        objectSql(ctx.storage),
        Date.now,
        (queue) => this.#manifest.declared(queue),
        () => this.#manifest.declaredLimits(),
      );
      this.#alarm = new Alarm(ctx.storage);
      ctx.blockConcurrencyWhile(() => this.#alarm.load());
      this.#schedules = new Scheduler({
        sql: objectSql(ctx.storage),
        queueOf: this.#stubs.queue,
        wakeAt: (time) => this.#alarm.by(time),
        environment: () => this.#core.environment,
        current: () => this.#manifest.deployment(),
        indexed: (current) => this.#manifest.indexed(current),
        isServed: async () => (await this.#stubs.dispatcher(this.#pool()).hosts()).length > 0,
      });
      this.#dispatcher = new DispatcherLink({
        dispatcher: () => this.#stubs.dispatcher(this.#pool()),
        ready: () => this.#ready(),
        state: () => this.#state(),
      });
      this.#calls = new QueueCalls({
        core: this.#core,
        manifest: this.#manifest,
        queue: this.#stubs.queue,
        publish: () => this.#dispatcher.publish(),
        waitUntil: (work) => ctx.waitUntil(work),
      });
    }

    async reportQueue(state: QueueState): Promise<void> {
      this.#core.applyState(state);
      const news = this.#core.applyChanges(state);
      if (news) this.#manifest.forget();
      this.#alarm.by(Date.now() + TICK_MS);
      this.ctx.waitUntil(this.#dispatcher.publish());
      this.#calls.revoke(this.#core.revocations.due([state.queueKey]));
      this.#refillLater();
      const current = this.#manifest.deployment();
      if (!current) return;
      const isBehind =
        state.promotion < current.promotion || state.revision < this.#core.changes.revisionOf(state.queue);
      if (state.parked || isBehind) await this.#calls.announceDeployment(state.queueKey, current);
      if (news) await this.#calls.announcePromotion();
      // A queue that was behind got no grants.
      if (news || isBehind) this.ctx.waitUntil(this.#dispatcher.publish());
    }

    async currentDeployment(): Promise<CurrentDeployment | null> {
      return this.#manifest.deployment();
    }

    async promoteDeployment(environment: EnvironmentRef, promoted: PromotedDeployment): Promise<void> {
      this.ctx.storage.transactionSync(() => {
        this.#core.promote(environment, promoted);
        this.#schedules.sync(environment, promoted.manifest);
      });
      this.#manifest.forget();
      this.#core.limitsChanged();
      this.#schedules.arm();
      this.#alarm.by(Date.now() + TICK_MS);
      await this.#calls.announcePromotion();
      await this.#dispatcher.publish();
    }

    async environmentStats(): Promise<EnvironmentStats> {
      await this.#calls.sync();
      return {
        queues: new Set(this.#core.registry.allQueues().map(({ queue }) => queue)).size,
        held: this.#core.held,
        ready: this.#core.ready,
        settings: this.#core.settings,
      };
    }

    async listQueues(offset: number, limit: number): Promise<{ queues: KnownQueue[]; count: number }> {
      const names = this.#manifest.queueNames();
      const queues = names.slice(offset, offset + limit).map((name) => this.#manifest.knownQueue(name));
      return { queues, count: names.length };
    }

    async queueKeys(after: string, limit: number): Promise<string[]> {
      return this.#manifest.queueKeys(this.ctx.id.name ?? "", after, limit);
    }

    async queueHold(
      queue: string,
      task: string,
      limits: string[],
      concurrencyKey: string,
    ): Promise<QueueHold> {
      await this.#calls.sync();
      const current = this.#manifest.deployment();
      return {
        ...this.#core.limitsOf(queue, limits, concurrencyKey),
        version: current?.deployment.version ?? null,
        knowsTask: current?.manifest.tasks.some(({ id }) => id === task) ?? false,
      };
    }

    async listLimits(offset: number, limit: number): Promise<{ limits: LimitState[]; count: number }> {
      await this.#calls.sync();
      const { names } = this.#core.named;
      const limits = names
        .slice(offset, offset + limit)
        .flatMap((name) => this.#core.named.state(name) ?? []);
      return { limits, count: names.length };
    }

    async findLimit(name: string): Promise<LimitState | null> {
      await this.#calls.sync();
      return this.#core.named.state(name);
    }

    async findLimitKey(name: string, concurrencyKey: string): Promise<LimitKeyState | null> {
      await this.#calls.sync();
      return this.#core.named.keyState(name, concurrencyKey);
    }

    async changeLimit(name: string, change: LimitChange): Promise<"ok" | "not_found" | "too_many_keys"> {
      await this.#calls.sync();
      const result = this.#core.changeLimit(name, change);
      const { expiresAt } = this.#core.named;
      if (expiresAt !== null) this.#alarm.by(expiresAt);
      await this.#dispatcher.publish();
      return result;
    }

    async findQueue(queueKey: string): Promise<KnownQueue | null> {
      const key = this.ctx.id.name ?? "";
      const name =
        this.#core.registry.nameOf(queueKey) ??
        this.#manifest.queueNames().find((name) => queueKeyOf(key, name) === queueKey);
      return name === undefined ? null : this.#manifest.knownQueue(name);
    }

    async updateEnvironment(
      environment: EnvironmentRef,
      changes: Partial<EnvironmentSettings>,
    ): Promise<EnvironmentSettings> {
      // After this, all queues that got permits from an earlier life of this object are known.
      await this.#calls.sync();
      const settings = this.#core.updateSettings(environment, changes);
      this.#manifest.forget();
      this.#calls.revoke(this.#core.revocations.allPrefetched());
      // The weight may have changed although the number of ready runs has not.
      this.#dispatcher.forget();
      await this.#dispatcher.publish();
      return settings;
    }

    async dequeueForHost(host: {
      hostId: string;
      sessionId: string;
      max: number;
    }): Promise<EnvironmentState & { runs: LeasedRun[] }> {
      await this.#calls.sync();
      const current = this.#manifest.deployment();
      const grants = current ? this.#core.grant(host.max) : [];
      const runs = await Promise.all(
        grants.map((grant) => this.#calls.dequeue(grant, host, current as CurrentDeployment)),
      );
      this.#calls.revoke(this.#core.revocations.ofSiblings(grants.map(({ queueKey }) => queueKey)));
      this.#refillLater();
      this.#noteVitals();
      return { ...this.#dispatcher.answer(), runs: runs.flat() };
    }

    async syncState(): Promise<EnvironmentState | null> {
      await this.#calls.sync();
      return this.#dispatcher.answer();
    }

    async createSchedule(environment: EnvironmentRef, schedule: CreateScheduleBody) {
      return this.#schedules.create(environment, schedule);
    }

    async updateSchedule(ref: string, schedule: UpdateScheduleBody) {
      return this.#schedules.update(ref, schedule);
    }

    async setScheduleActive(ref: string, active: boolean) {
      return this.#schedules.setActive(ref, active);
    }

    async deleteSchedule(ref: string) {
      return this.#schedules.delete(ref);
    }

    async retrieveSchedule(ref: string) {
      return this.#schedules.retrieve(ref);
    }

    async listSchedules(page: number, perPage: number) {
      return this.#schedules.list(page, perPage);
    }

    override async alarm(info?: AlarmInvocationInfo): Promise<void> {
      this.#alarm.fired(info);
      this.#noteVitals();
      await Promise.all([this.#schedules.fire(), this.#reconcile()]);
    }

    #noteVitals(): void {
      const [id, now] = [this.ctx.id.name ?? "", Date.now()];
      if (!vitals.isDue("environment", id, now)) return;
      const { held, ready } = this.#core;
      vitals.note("environment", id, { held_permits: held, ready_runs: ready }, now);
    }

    /** Repeats what may have been lost, for as long as any queue is active. */
    async #reconcile(): Promise<void> {
      try {
        await this.#calls.sync();
        await this.#calls.announcePromotion();
        this.#refill();
        this.#calls.revoke([...this.#core.revocations.due(), ...this.#core.revocations.idlePrefetched()]);
        // The state is reported again, in case the dispatcher has lost its memory.
        this.#dispatcher.forget();
        await this.#dispatcher.publish();
      } catch (error) {
        log.error("The alarm of an environment failed; it is tried again", {
          environment: this.ctx.id.name,
          error,
        });
        this.#alarm.by(Date.now() + TICK_MS);
      }
      const { expiresAt } = this.#core.named;
      if (expiresAt !== null) this.#alarm.by(expiresAt);
      if (this.#core.registry.retireIdle() || this.#core.announcements.queuesToInform().queues.length > 0)
        this.#alarm.by(Date.now() + TICK_MS);
    }

    /** Sets a timer for when the rate of a split queue allows more starts. */
    #refillLater(): void {
      const at = this.#core.refillAt;
      if (at === null) return;
      if (at > Date.now() + NEAR_MS) this.#alarm.by(at);
      else this.#refillTimer.by(at);
    }

    #refill(): void {
      this.#core.refill();
      this.ctx.waitUntil(this.#dispatcher.publish());
      this.#refillLater();
    }

    /**
     * The pool of hosts that execute the environment's runs. Nothing is ready before a caller has named the
     * environment.
     */
    #pool(): string {
      if (this.#poolName === null) {
        const { environment } = this.#core;
        if (!environment) return HOST_POOL;
        this.#poolName = poolOf(environment);
      }
      return this.#poolName;
    }

    #ready(): number {
      return this.#manifest.deployment() ? Math.min(this.#core.ready, MAX_REPORTED_READY) : 0;
    }

    #state(): EnvironmentState {
      return { ...this.#core.state(this.ctx.id.name ?? ""), ready: this.#ready() };
    }
  };
}
