import { DurableObject } from "cloudflare:workers";
import { DEFAULTS, type OperationResult, parseRunId } from "@acme/sdk/contract";
import type { BatchItemError } from "@acme/sdk/contract/api";
import { Alarm } from "../lib/alarm.ts";
import { GroupCommit } from "../lib/group-commit.ts";
import { hasTables, migrate, objectSql, type Sql } from "../lib/sql.ts";
import { StatePublisher } from "../lib/state-publisher.ts";
import type { RunFinished } from "../queue/rpc.ts";
import { enqueueRuns } from "../routing/enqueue.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { claimExpiry, claimKey } from "../shared/key-claim.ts";
import { addWaiter, hasWaiters, notifyWaiters } from "../shared/operation-waiters.ts";
import * as core from "./core.ts";
import { type CreationGroup, markCreated, nextToCreate } from "./creation.ts";
import { listErrors, listResults, listRuns } from "./lists.ts";
import type { BatchChunk, BatchOwnerRpc, BatchRecord, CreatedRun, NewBatch } from "./rpc.ts";
import { BATCH_MIGRATIONS } from "./schema.ts";

/** Until all runs are created and everybody was told, the alarm looks after it this often. */
const SAFETY_MS = 5_000;
/** An invocation may call this many other objects (Cloudflare's limit is 1,000); the alarm goes on with the rest. */
const MAX_CALLS = 800;
const MAX_RESULTS = 100;
const CANCELS_AT_ONCE = 100;

/**
 * The object of one batch: takes its items as they arrive, creates their runs once all are here, and knows when all are
 * over. Each run's id is stored before the run is created, so what was cut off is done again with the same ids. Under
 * another name it is the home of a batch's idempotency key.
 */
export function batchObject<Env extends ObjectBindings>() {
  return class extends DurableObject<Env> implements BatchOwnerRpc {
    readonly #stubs: Stubs;
    readonly #sql: Sql;
    readonly #alarm: Alarm;
    readonly #group: GroupCommit<Sql>;
    readonly #waiters: StatePublisher<{ batch: core.BatchRow; result: OperationResult }>;
    #creating: Promise<void> | null = null;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#stubs = stubs(env);
      this.#sql = objectSql(ctx.storage);
      this.#alarm = new Alarm(ctx.storage);
      ctx.blockConcurrencyWhile(() => this.#alarm.load());
      this.#group = new GroupCommit((work) => this.#commit(() => work(this.#sql)));
      this.#waiters = new StatePublisher(
        () => this.#undelivered(),
        ({ batch, result }) => notifyWaiters(this.#sql, env, batch.environment_key, result),
      );
    }

    async createBatch(batch: NewBatch): Promise<BatchRecord> {
      if (!hasTables(this.#sql)) migrate(this.#sql, BATCH_MIGRATIONS);
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
      // One that is gone (its time is over) has nobody left who would ask.
      if (!this.#batchOf(environmentKey)) return;
      await this.#group.run((sql) => core.runFinished(sql, index, finished, Date.now()));
    }

    async cancelBatch(environmentKey: string, reason: string): Promise<void> {
      const batch = this.#batchOf(environmentKey);
      if (!batch || batch.completed_at !== null) return;
      this.#commit(() => core.cancelBatch(this.#sql, batch, reason, Date.now()));
      this.#alarm.by(Date.now());
    }

    async claimKey(claim: { id: string; expiresAt: number }) {
      if (!hasTables(this.#sql)) migrate(this.#sql, BATCH_MIGRATIONS);
      const result = claimKey(this.#sql, claim, Date.now());
      this.#arm();
      return result;
    }

    override async alarm(): Promise<void> {
      this.#alarm.fired();
      if (!hasTables(this.#sql)) return;
      this.#sql.transaction(() => core.abortUnsealed(this.#sql, Date.now()));
      await this.#create();
      await this.#cancelRuns();
      await this.#waiters.publish();
      const due = this.#nextDue();
      if (due !== null && due <= Date.now()) await this.ctx.storage.deleteAll();
      else this.#arm();
    }

    /** One transaction, and what follows from it. */
    #commit(work: () => void): void {
      this.#sql.transaction(work);
      this.#arm();
      const batch = core.readBatch(this.#sql);
      if (batch && isCreating(batch)) this.ctx.waitUntil(this.#create());
      if (this.#undelivered()) this.ctx.waitUntil(this.#waiters.publish());
    }

    /** Creates the runs of a sealed batch. What can't be created now is left to the alarm. */
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
          this.#alarm.by(Date.now());
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
            console.error(
              `Batch ${batch.id} could not reach queue ${group.target.queue}; it tries again`,
              answer?.reason,
            );
          }
        }
      });
      this.#arm();
      if (this.#undelivered()) this.ctx.waitUntil(this.#waiters.publish());
    }

    /** Of a canceled batch. What can't be reached now is left to the next alarm. */
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

    /** The result that somebody still has to be told. */
    #undelivered(): { batch: core.BatchRow; result: OperationResult } | null {
      const batch = core.readBatch(this.#sql);
      const result = batch && core.resultOf(batch);
      return batch && result && hasWaiters(this.#sql) ? { batch, result } : null;
    }

    #arm(): void {
      const due = this.#nextDue();
      if (due !== null) this.#alarm.by(due);
    }

    /** When the alarm has something to do; null: never. What it says when all is done is when this object is forgotten. */
    #nextDue(): number | null {
      const batch = core.readBatch(this.#sql);
      if (!batch) return claimExpiry(this.#sql);
      if (isCreating(batch) || isCanceling(batch) || this.#undelivered()) return Date.now() + SAFETY_MS;
      const sealDue = core.sealDueAt(batch);
      if (sealDue !== null) return sealDue;
      return batch.completed_at === null ? null : batch.completed_at + DEFAULTS.retentionMs;
    }

    #batchOf(environmentKey: string): core.BatchRow | undefined {
      if (!hasTables(this.#sql)) return undefined;
      const batch = core.readBatch(this.#sql);
      return batch?.environment_key === environmentKey ? batch : undefined;
    }
  };
}

const isCanceling = (batch: core.BatchRow): boolean => batch.canceled !== null && batch.completed_at === null;
const isCreating = (batch: core.BatchRow): boolean => batch.sealed_at !== null && batch.waiting_count > 0;
