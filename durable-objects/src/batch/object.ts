import { DurableObject } from "cloudflare:workers";
import { DEFAULTS, type OperationResult, parseRunId } from "@acme/sdk/contract";
import type { BatchItemError } from "@acme/sdk/contract/api";
import { GroupCommit } from "../lib/group-commit.ts";
import { log } from "../lib/log.ts";
import type { Sql } from "../lib/sql.ts";
import { StatePublisher } from "../lib/state-publisher.ts";
import type { RunFinished } from "../queue/rpc.ts";
import { enqueueRuns } from "../routing/enqueue.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { claimExpiry } from "../shared/key-claim.ts";
import { addWaiter, hasWaiters, notifyWaiters } from "../shared/operation-waiters.ts";
import { Lifecycle, SAFETY_MS } from "../shared/self-deleting-object.ts";
import * as core from "./core.ts";
import { type CreationGroup, markCreated, nextToCreate } from "./creation.ts";
import { listErrors, listResults, listRuns } from "./lists.ts";
import type { BatchChunk, BatchOwnerRpc, BatchRecord, CreatedRun, NewBatch } from "./rpc.ts";
import { BATCH_MIGRATIONS } from "./schema.ts";

/** Calls of other objects per invocation (Cloudflare's limit is 1,000); the alarm continues with the rest. */
const MAX_CALLS = 800;
const MAX_RESULTS = 100;
const CANCELS_AT_ONCE = 100;

/**
 * The object of one batch. It takes the items as they arrive, creates their runs once all items have arrived, and knows when
 * all runs have ended. Each run's id is stored before the run is created, so work that was interrupted is repeated with
 * the same ids. Under another name, an object of this class is the home of a batch's idempotency key.
 */
export function batchObject<Env extends ObjectBindings>() {
  return class extends DurableObject<Env> implements BatchOwnerRpc {
    readonly #stubs: Stubs;
    readonly #life: Lifecycle;
    readonly #sql: Sql;
    readonly #group: GroupCommit<Sql>;
    readonly #waiters: StatePublisher<{ batch: core.BatchRow; result: OperationResult }>;
    #creating: Promise<void> | null = null;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#stubs = stubs(env);
      this.#life = new Lifecycle(ctx, {
        migrations: BATCH_MIGRATIONS,
        nextDue: () => this.#nextDue(),
        serve: async () => {
          this.#sql.transaction(() => core.abortUnsealed(this.#sql, Date.now()));
          await this.#create();
          await this.#cancelRuns();
          await this.#waiters.publish();
        },
      });
      this.#sql = this.#life.sql;
      this.#group = new GroupCommit((work) => this.#commit(() => work(this.#sql)));
      this.#waiters = new StatePublisher(
        () => this.#undelivered(),
        ({ batch, result }) => notifyWaiters(this.#sql, env, batch.environment_key, result),
      );
    }

    async createBatch(batch: NewBatch): Promise<BatchRecord> {
      this.#life.create();
      this.#commit(() => {
        core.createBatch(this.#sql, batch, Date.now());
        if (batch.waiter) addWaiter(this.#sql, batch.waiter);
      });
      return core.recordOf(core.readBatch(this.#sql) as core.BatchRow);
    }

    async retrieveBatch(environmentKey: string): Promise<BatchRecord | null> {
      const batch = this.#batchOf(environmentKey);
      return batch ? core.recordOf(batch) : null;
    }

    async missingItems(environmentKey: string, indexes: number[]): Promise<number[]> {
      return this.#batchOf(environmentKey) ? core.missingItems(this.#sql, indexes) : indexes;
    }

    async addItems(environmentKey: string, chunk: BatchChunk) {
      const batch = this.#batchOf(environmentKey);
      if (!batch) return null;
      let counts = { accepted: 0, deduplicated: 0 };
      this.#commit(() => {
        counts = core.addItems(this.#sql, batch, chunk, Date.now());
      });
      return { ...core.recordOf(core.readBatch(this.#sql) as core.BatchRow), ...counts };
    }

    async whenEnqueued(environmentKey: string): Promise<CreatedRun[] | null> {
      if (!this.#batchOf(environmentKey)) return null;
      await this.#create();
      return listRuns(this.#sql);
    }

    async listItems(environmentKey: string): Promise<{ runs: string[]; errors: BatchItemError[] } | null> {
      if (!this.#batchOf(environmentKey)) return null;
      return { runs: listRuns(this.#sql).map(({ runId }) => runId), errors: listErrors(this.#sql) };
    }

    async listResults(environmentKey: string, after: number, limit: number) {
      if (!this.#batchOf(environmentKey)) return null;
      const size = Math.min(limit, MAX_RESULTS);
      const found = listResults(this.#sql, after, size + 1);
      return { results: found.slice(0, size), more: found.length > size };
    }

    async runFinished(environmentKey: string, index: number, finished: RunFinished): Promise<void> {
      // Nobody needs the answer of a batch that was deleted.
      if (!this.#batchOf(environmentKey)) return;
      await this.#group.run((sql) => core.runFinished(sql, index, finished, Date.now()));
    }

    async cancelBatch(environmentKey: string, reason: string): Promise<void> {
      const batch = this.#batchOf(environmentKey);
      if (!batch || batch.completed_at !== null) return;
      this.#commit(() => core.cancelBatch(this.#sql, batch, reason, Date.now()));
      this.#life.wake();
    }

    async claimKey(claim: { id: string; expiresAt: number }) {
      return this.#life.claimKey(claim);
    }

    override async alarm(info?: AlarmInvocationInfo): Promise<void> {
      await this.#life.alarm(info);
    }

    /** Runs `work` in one transaction, and starts the work that follows from it. */
    #commit(work: () => void): void {
      this.#sql.transaction(work);
      this.#life.arm();
      const batch = core.readBatch(this.#sql);
      if (batch && isCreating(batch)) this.ctx.waitUntil(this.#create());
      if (this.#undelivered()) this.ctx.waitUntil(this.#waiters.publish());
    }

    /** Creates the runs of a sealed batch. The alarm creates runs that can't be created now. */
    #create(): Promise<void> {
      this.#creating ??= this.#createAll().finally(() => {
        this.#creating = null;
      });
      return this.#creating;
    }

    async #createAll(): Promise<void> {
      let calls = 0;
      for (let after = -1; ; ) {
        const batch = core.readBatch(this.#sql);
        const next = batch && isCreating(batch) ? nextToCreate(this.#sql, batch, after) : null;
        if (!batch || !next) return;
        if (calls > 0 && calls + next.groups.length > MAX_CALLS) {
          this.#life.wake();
          return;
        }
        calls += next.groups.length;
        after = next.last;
        await this.#createGroups(batch, next.groups);
      }
    }

    async #createGroups(batch: core.BatchRow, groups: CreationGroup[]): Promise<void> {
      const answers = await Promise.allSettled(groups.map((group) => enqueueRuns(this.#stubs.queue, group)));
      this.#sql.transaction(() => {
        for (const [index, group] of groups.entries()) {
          const answer = answers[index];
          if (answer?.status === "fulfilled") markCreated(this.#sql, batch, group, answer.value, Date.now());
          else {
            log.error("A batch could not reach a queue; it tries again", {
              batch: batch.id,
              queue: group.target.queue,
              error: answer?.reason,
            });
          }
        }
      });
      this.#life.arm();
      if (this.#undelivered()) this.ctx.waitUntil(this.#waiters.publish());
    }

    /** Cancels the runs of a canceled batch. The next alarm cancels runs that can't be reached now. */
    async #cancelRuns(): Promise<void> {
      const batch = core.readBatch(this.#sql);
      if (!batch || !isCanceling(batch)) return;
      for (let after = -1, calls = 0; calls < MAX_CALLS; calls += CANCELS_AT_ONCE) {
        const runs = core.nextToCancel(this.#sql, after, CANCELS_AT_ONCE);
        if (runs.length === 0) return;
        after = runs.at(-1)?.idx ?? after;
        await Promise.allSettled(runs.map(({ runId }) => this.#cancelRun(batch, runId)));
      }
    }

    async #cancelRun(batch: core.BatchRow, runId: string): Promise<void> {
      const queueKey = parseRunId(runId)?.queueKey;
      if (queueKey)
        await this.#stubs.queue(queueKey).cancelRun(batch.environment_key, runId, batch.canceled ?? "");
    }

    /** Returns the result while some waiter has not acknowledged it. */
    #undelivered(): { batch: core.BatchRow; result: OperationResult } | null {
      const batch = core.readBatch(this.#sql);
      const result = batch && core.resultOf(batch);
      return batch && result && hasWaiters(this.#sql) ? { batch, result } : null;
    }

    #nextDue(): number | null {
      const batch = core.readBatch(this.#sql);
      if (!batch) return claimExpiry(this.#sql);
      if (isCreating(batch) || isCanceling(batch) || this.#undelivered()) return Date.now() + SAFETY_MS;
      const sealDue = core.sealDueAt(batch);
      if (sealDue !== null) return sealDue;
      return batch.completed_at === null ? null : batch.completed_at + DEFAULTS.retentionMs;
    }

    #batchOf(environmentKey: string): core.BatchRow | undefined {
      if (!this.#life.exists) return undefined;
      const batch = core.readBatch(this.#sql);
      return batch?.environment_key === environmentKey ? batch : undefined;
    }
  };
}

const isCanceling = (batch: core.BatchRow): boolean => batch.canceled !== null && batch.completed_at === null;
const isCreating = (batch: core.BatchRow): boolean => batch.sealed_at !== null && batch.waiting_count > 0;
