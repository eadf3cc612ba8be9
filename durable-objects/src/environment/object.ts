import { DurableObject } from "cloudflare:workers";
import { defaultQueueName, type NamedLimitManifest } from "@acme/sdk/contract";
import type { CreateScheduleBody, UpdateScheduleBody } from "@acme/sdk/contract/api";
import { Alarm } from "../lib/alarm.ts";
import { NEAR_MS, RefillTimer } from "../lib/refill-timer.ts";
import { objectSql } from "../lib/sql.ts";
import type { LeasedRun, QueueDeclaration, QueueState } from "../queue/rpc.ts";
import { declarationOf, type IndexedManifest, indexed } from "../routing/declaration.ts";
import { queueKeyOf } from "../routing/keys.ts";
import { partitionsOf } from "../routing/partitions.ts";
import { HOST_POOL, poolOf } from "../routing/pool.ts";
import type { EnvironmentRef } from "../routing/refs.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { EnvironmentCore } from "./core.ts";
import { DispatcherLink } from "./dispatcher-link.ts";
import type { Grant } from "./queue-flow.ts";
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
/** Most queues that are called at once: a Worker may hold few calls open. */
const PARALLEL = 50;
/** Most runs reported as ready: a dispatcher that has handed out this many asks again. */
const MAX_REPORTED_READY = 1_000;

const NO_LIMITS: ReadonlyMap<string, NamedLimitManifest> = new Map();

/** The object of one environment: its concurrency, fairness over its queues, current deployment and schedules. */
export function environmentObject<Env extends ObjectBindings>() {
  return class extends DurableObject<Env> implements EnvironmentRpc, EnvironmentSchedulesRpc {
    readonly #stubs: Stubs;
    readonly #core: EnvironmentCore;
    readonly #alarm: Alarm;
    readonly #schedules: Scheduler;
    readonly #dispatcher: DispatcherLink;
    #poolName: string | null = null;
    #synced: Promise<void> | null = null;
    readonly #revoking = new Set<string>();
    readonly #refillTimer = new RefillTimer(() => this.#refill());
    /** Read from storage once: it changes only through `promoteDeployment` and `updateEnvironment`. */
    #deployment: CurrentDeployment | null | undefined;
    /** The index of the current deployment's manifest. */
    #manifest: { of: CurrentDeployment; indexed: IndexedManifest } | null = null;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#stubs = stubs(env);
      this.#core = new EnvironmentCore(
        objectSql(ctx.storage),
        Date.now,
        (queue) => this.#declared(queue),
        () => this.#declaredLimits(),
      );
      this.#alarm = new Alarm(ctx.storage);
      ctx.blockConcurrencyWhile(() => this.#alarm.load());
      this.#schedules = new Scheduler({
        sql: objectSql(ctx.storage),
        queueOf: this.#stubs.queue,
        wakeAt: (time) => this.#alarm.by(time),
        environment: () => this.#core.environment,
        current: () => this.#currentDeployment(),
        indexed: (current) => this.#indexed(current),
        isServed: async () => (await this.#stubs.dispatcher(this.#pool()).hosts()).length > 0,
      });
      this.#dispatcher = new DispatcherLink({
        dispatcher: () => this.#stubs.dispatcher(this.#pool()),
        ready: () => this.#ready(),
        state: () => this.#state(),
      });
    }

    async reportQueue(state: QueueState): Promise<void> {
      this.#core.applyState(state);
      const news = this.#core.applyChanges(state);
      if (news) this.#deployment = undefined;
      this.#alarm.by(Date.now() + TICK_MS);
      this.ctx.waitUntil(this.#dispatcher.publish());
      this.#revoke(this.#core.revocations.due([state.queueKey]));
      this.#refillLater();
      const current = this.#currentDeployment();
      if (!current) return;
      const isBehind =
        state.promotion < current.promotion || state.revision < this.#core.changes.revisionOf(state.queue);
      if (state.parked || isBehind) await this.#announceDeployment(state.queueKey, current);
      if (news) await this.#announcePromotion();
      // A queue that was behind got no grants.
      if (news || isBehind) this.ctx.waitUntil(this.#dispatcher.publish());
    }

    async currentDeployment(): Promise<CurrentDeployment | null> {
      return this.#currentDeployment();
    }

    async promoteDeployment(environment: EnvironmentRef, promoted: PromotedDeployment): Promise<void> {
      this.ctx.storage.transactionSync(() => {
        this.#core.promote(environment, promoted);
        this.#schedules.sync(environment, promoted.manifest);
      });
      this.#deployment = undefined;
      this.#core.limitsChanged();
      this.#schedules.arm();
      this.#alarm.by(Date.now() + TICK_MS);
      await this.#announcePromotion();
      await this.#dispatcher.publish();
    }

    async environmentStats(): Promise<EnvironmentStats> {
      await this.#sync();
      return {
        queues: new Set(this.#core.registry.allQueues().map(({ queue }) => queue)).size,
        held: this.#core.held,
        ready: this.#core.ready,
        settings: this.#core.settings,
      };
    }

    async listQueues(offset: number, limit: number): Promise<{ queues: KnownQueue[]; count: number }> {
      const names = this.#queueNames();
      const queues = names.slice(offset, offset + limit).map((name) => this.#knownQueue(name));
      return { queues, count: names.length };
    }

    async queueHold(
      queue: string,
      task: string,
      limits: string[],
      concurrencyKey: string,
    ): Promise<QueueHold> {
      await this.#sync();
      const current = this.#currentDeployment();
      return {
        ...this.#core.limitsOf(queue, limits, concurrencyKey),
        version: current?.deployment.version ?? null,
        knowsTask: current?.manifest.tasks.some(({ id }) => id === task) ?? false,
      };
    }

    async listLimits(offset: number, limit: number): Promise<{ limits: LimitState[]; count: number }> {
      await this.#sync();
      const { names } = this.#core.named;
      const limits = names
        .slice(offset, offset + limit)
        .flatMap((name) => this.#core.named.state(name) ?? []);
      return { limits, count: names.length };
    }

    async findLimit(name: string): Promise<LimitState | null> {
      await this.#sync();
      return this.#core.named.state(name);
    }

    async findLimitKey(name: string, concurrencyKey: string): Promise<LimitKeyState | null> {
      await this.#sync();
      return this.#core.named.keyState(name, concurrencyKey);
    }

    async changeLimit(name: string, change: LimitChange): Promise<"ok" | "not_found" | "too_many_keys"> {
      await this.#sync();
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
        this.#queueNames().find((name) => queueKeyOf(key, name) === queueKey);
      return name === undefined ? null : this.#knownQueue(name);
    }

    async updateEnvironment(
      environment: EnvironmentRef,
      changes: Partial<EnvironmentSettings>,
    ): Promise<EnvironmentSettings> {
      // After this, queues that got permits from an earlier life of this object are known.
      await this.#sync();
      const settings = this.#core.updateSettings(environment, changes);
      this.#deployment = undefined;
      this.#revoke(this.#core.revocations.allPrefetched());
      // The weight may have changed while as much is ready as before.
      this.#dispatcher.forget();
      await this.#dispatcher.publish();
      return settings;
    }

    async dequeueForHost(host: {
      hostId: string;
      sessionId: string;
      max: number;
    }): Promise<EnvironmentState & { runs: LeasedRun[] }> {
      await this.#sync();
      const current = this.#currentDeployment();
      const grants = current ? this.#core.grant(host.max) : [];
      const runs = await Promise.all(
        grants.map((grant) => this.#dequeue(grant, host, current as CurrentDeployment)),
      );
      this.#revoke(this.#core.revocations.ofSiblings(grants.map(({ queueKey }) => queueKey)));
      this.#refillLater();
      return { ...this.#dispatcher.answer(), runs: runs.flat() };
    }

    async syncState(): Promise<EnvironmentState | null> {
      await this.#sync();
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

    override async alarm(): Promise<void> {
      this.#alarm.fired();
      await Promise.all([this.#schedules.fire(), this.#reconcile()]);
    }

    /** Repeats what may have been lost, for as long as any queue is active. */
    async #reconcile(): Promise<void> {
      try {
        await this.#sync();
        await this.#announcePromotion();
        this.#refill();
        this.#revoke([...this.#core.revocations.due(), ...this.#core.revocations.idlePrefetched()]);
        // The state is reported again, in case the dispatcher has lost its memory.
        this.#dispatcher.forget();
        await this.#dispatcher.publish();
      } catch (error) {
        console.error(`Alarm of environment ${this.ctx.id.name} failed; it is tried again`, error);
        this.#alarm.by(Date.now() + TICK_MS);
      }
      const { expiresAt } = this.#core.named;
      if (expiresAt !== null) this.#alarm.by(expiresAt);
      if (this.#core.registry.retireIdle() || this.#core.announcements.queuesToInform().queues.length > 0)
        this.#alarm.by(Date.now() + TICK_MS);
    }

    async #dequeue(
      grant: Grant,
      host: { hostId: string; sessionId: string },
      current: CurrentDeployment,
    ): Promise<LeasedRun[]> {
      const { hostId, sessionId } = host;
      try {
        const { runs, started, refused, ...state } = await this.#stubs.queue(grant.queueKey).dequeueRuns({
          epoch: this.#core.epoch,
          max: grant.max,
          prefetched: grant.prefetched,
          shared: grant.shared,
          limits: grant.limits,
          hostId,
          sessionId,
          deployment: current.deployment,
        });
        this.#core.granted(grant, state, { leased: runs.length, started, refused });
        return runs;
      } catch (error) {
        console.error(`A grant to queue ${grant.queueKey} was not answered`, error);
        this.ctx.waitUntil(this.#recover(grant));
        return [];
      }
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

    /** Revokes prefetched permits of queues. The alarm asks again those that can't be reached. */
    #revoke(queueKeys: string[]): void {
      for (const queueKey of new Set(queueKeys)) {
        if (this.#revoking.has(queueKey)) continue;
        this.#revoking.add(queueKey);
        this.ctx.waitUntil(
          (async () => {
            try {
              const state = await this.#stubs
                .queue(queueKey)
                .revokePrefetched(this.#core.revocations.needsKeysOf(queueKey));
              if (state) this.#core.applyState(state);
              await this.#dispatcher.publish();
            } catch (error) {
              console.error(`Queue ${queueKey} could not be asked for its permits; it is asked again`, error);
            } finally {
              this.#revoking.delete(queueKey);
            }
          })(),
        );
      }
    }

    /** Finds out what became of an unanswered grant. Its permits count until that is known. */
    async #recover(grant: Grant): Promise<void> {
      const epoch = this.#core.grantLost();
      for (let delay = 100; ; delay = Math.min(delay * 2, TICK_MS)) {
        await scheduler.wait(delay);
        try {
          this.#core.recovered(grant, await this.#stubs.queue(grant.queueKey).syncState(epoch));
          await this.#dispatcher.publish();
          return;
        } catch (error) {
          console.error(`Queue ${grant.queueKey} could not be asked for its state; it is tried again`, error);
        }
      }
    }

    /** Asks the queues that may hold slots from before this object started. Nothing is granted until all have answered. */
    #sync(): Promise<void> {
      this.#synced ??= this.#syncAll().catch((error) => {
        this.#synced = null;
        throw error;
      });
      return this.#synced;
    }

    async #syncAll(): Promise<void> {
      await inParallel(this.#core.registry.queuesToSync(), async (queueKey) => {
        const state = await this.#stubs.queue(queueKey).syncState(this.#core.epoch);
        if (state) this.#core.applyState(state);
      });
    }

    async #announcePromotion(): Promise<void> {
      const current = this.#currentDeployment();
      const { queues, asOf } = this.#core.announcements.queuesToInform();
      if (!current || queues.length === 0) return;
      await inParallel(queues, (queueKey) => this.#announceDeployment(queueKey, current));
      this.#core.announcements.informedAll(asOf);
    }

    /** Informs a queue of the current deployment and of its changes through the API. */
    async #announceDeployment(queueKey: string, current: CurrentDeployment): Promise<void> {
      const tasks = current.manifest.tasks.map((task) => task.id);
      const limits = Object.fromEntries(
        current.manifest.tasks.flatMap(({ id, limits }) => (limits ? [[id, limits]] : [])),
      );
      const queue = this.#core.registry.nameOf(queueKey);
      const declaration = queue === undefined ? {} : this.#declared(queue);
      const changes = queue === undefined ? undefined : this.#core.changes.of(queue);
      const state = await this.#stubs
        .queue(queueKey)
        .deploymentPromoted(current.deployment, tasks, declaration, changes, limits);
      if (state) this.#core.applyState(state);
    }

    #declared(queue: string): QueueDeclaration {
      const current = this.#currentDeployment();
      return current ? declarationOf(current, this.#indexed(current), queue) : {};
    }

    #declaredLimits(): ReadonlyMap<string, NamedLimitManifest> {
      const current = this.#currentDeployment();
      return current ? this.#indexed(current).limits : NO_LIMITS;
    }

    #indexed(current: CurrentDeployment): IndexedManifest {
      if (this.#manifest?.of !== current)
        this.#manifest = { of: current, indexed: indexed(current.manifest) };
      return this.#manifest.indexed;
    }

    #currentDeployment(): CurrentDeployment | null {
      if (this.#deployment === undefined) this.#deployment = this.#core.currentDeployment;
      return this.#deployment;
    }

    /** In alphabetical order. */
    #queueNames(): string[] {
      const manifest = this.#currentDeployment()?.manifest;
      const declared = [
        ...(manifest?.queues ?? []).map((queue) => queue.name),
        ...(manifest?.tasks ?? []).map((task) => task.queue?.name ?? defaultQueueName(task.id)),
      ];
      return [
        ...new Set([...this.#core.registry.allQueues().map((known) => known.queue), ...declared]),
      ].sort();
    }

    /** With its partitions, including those where runs may have been triggered that have not reported yet. */
    #knownQueue(queue: string): KnownQueue {
      const current = this.#currentDeployment();
      const count = current ? partitionsOf(current, this.#indexed(current), queue) : 1;
      const used = Array.from({ length: count }, (_, partition) => partition);
      const partitions = new Set([...used, ...this.#core.registry.partitionsOf(queue)]);
      return { queue, partitions: [...partitions].sort((a, b) => a - b) };
    }

    /** The pool of hosts that execute the environment's runs. Nothing is ready before anybody has named the environment. */
    #pool(): string {
      if (this.#poolName === null) {
        const { environment } = this.#core;
        if (!environment) return HOST_POOL;
        this.#poolName = poolOf(environment);
      }
      return this.#poolName;
    }

    #ready(): number {
      return this.#currentDeployment() ? Math.min(this.#core.ready, MAX_REPORTED_READY) : 0;
    }

    #state(): EnvironmentState {
      return { ...this.#core.state(this.ctx.id.name ?? ""), ready: this.#ready() };
    }
  };
}

async function inParallel<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += PARALLEL) {
    await Promise.all(items.slice(start, start + PARALLEL).map(work));
  }
}
