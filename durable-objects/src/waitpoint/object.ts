import { DurableObject } from "cloudflare:workers";
import { DEFAULTS, type OperationResult } from "@acme/sdk/contract";
import { Alarm } from "../lib/alarm.ts";
import { hasTables, migrate, objectSql, type Sql } from "../lib/sql.ts";
import { StatePublisher } from "../lib/state-publisher.ts";
import { parseEnvironmentId } from "../routing/environment-id.ts";
import type { ObjectBindings } from "../routing/stubs.ts";
import { claimExpiry, claimKey } from "../shared/key-claim.ts";
import { addWaiter, hasWaiters, notifyWaiters, type OperationWaiter } from "../shared/operation-waiters.ts";
import * as core from "./core.ts";
import type { WaitpointOwnerRpc, WaitpointProjection, WaitpointRecord, WaitpointRow } from "./rpc.ts";
import { WAITPOINT_MIGRATIONS } from "./schema.ts";

/** Until everybody was told, the alarm looks after it this often. */
const SAFETY_MS = 5_000;

export interface WaitpointObjectDependencies<Env extends ObjectBindings> {
  openProjection(env: Env): WaitpointProjection;
}

/**
 * The object of one token: completed from outside, or by its timeout, once. Those who wait are told until they say that
 * they know. Under another name it is the home of a token's idempotency key.
 */
export function waitpointObject<Env extends ObjectBindings>(dependencies: WaitpointObjectDependencies<Env>) {
  return class extends DurableObject<Env> implements WaitpointOwnerRpc {
    readonly #sql: Sql;
    readonly #alarm: Alarm;
    readonly #waiters: StatePublisher<{ token: WaitpointRecord; result: OperationResult }>;
    readonly #querySide: StatePublisher<WaitpointRow>;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#sql = objectSql(ctx.storage);
      this.#alarm = new Alarm(ctx.storage);
      ctx.blockConcurrencyWhile(() => this.#alarm.load());
      const projection = dependencies.openProjection(env);
      this.#waiters = new StatePublisher(
        () => this.#undelivered(),
        ({ token, result }) => notifyWaiters(this.#sql, env, token.environmentKey, result),
      );
      this.#querySide = new StatePublisher(
        () => core.unprojected(this.#sql),
        async (row) => {
          await projection.upsertWaitpoints([row]);
          core.projected(this.#sql, row.version);
        },
      );
    }

    async createToken(token: core.NewToken): Promise<WaitpointRecord> {
      if (!hasTables(this.#sql)) migrate(this.#sql, WAITPOINT_MIGRATIONS);
      const createdAt = parseEnvironmentId(token.id)?.createdAt ?? Date.now();
      return this.#change(() => core.createToken(this.#sql, token, createdAt)) as WaitpointRecord;
    }

    async completeToken(environmentKey: string, output: core.TokenOutput): Promise<WaitpointRecord | null> {
      if (!this.#has(environmentKey)) return null;
      return this.#change(() => core.completeToken(this.#sql, output, Date.now()));
    }

    async retrieveToken(environmentKey: string): Promise<WaitpointRecord | null> {
      return this.#has(environmentKey) ? this.#change(() => {}) : null;
    }

    async waitForToken(environmentKey: string, waiter: OperationWaiter): Promise<OperationResult | null> {
      if (!this.#has(environmentKey)) {
        const message = "There is no such waitpoint token in this environment.";
        return { ok: false, error: { type: "INTERNAL_ERROR", code: "WAITPOINT_TOKEN_NOT_FOUND", message } };
      }
      let result: OperationResult | null = null;
      this.#change(() => {
        const token = core.readToken(this.#sql);
        result = token && core.resultOf(token);
        if (!result) addWaiter(this.#sql, waiter);
      });
      return result;
    }

    async claimKey(claim: { id: string; expiresAt: number }) {
      if (!hasTables(this.#sql)) migrate(this.#sql, WAITPOINT_MIGRATIONS);
      const result = claimKey(this.#sql, claim, Date.now());
      this.#arm();
      return result;
    }

    override async alarm(): Promise<void> {
      this.#alarm.fired();
      if (!hasTables(this.#sql)) return;
      core.timeOut(this.#sql, Date.now());
      await Promise.all([this.#waiters.publish(), this.#querySide.publish()]);
      const due = this.#nextDue();
      if (due !== null && due <= Date.now()) await this.ctx.storage.deleteAll();
      else this.#arm();
    }

    /** Applies a change, with the timeout before it, in one transaction; then tells whom it concerns. */
    #change(work: () => void): WaitpointRecord | null {
      this.#sql.transaction(() => {
        core.timeOut(this.#sql, Date.now());
        work();
      });
      this.#arm();
      if (this.#undelivered()) this.ctx.waitUntil(this.#waiters.publish());
      if (core.unprojected(this.#sql)) this.ctx.waitUntil(this.#querySide.publish());
      return core.readToken(this.#sql);
    }

    /** The result that somebody still has to be told. */
    #undelivered(): { token: WaitpointRecord; result: OperationResult } | null {
      const token = core.readToken(this.#sql);
      const result = token && core.resultOf(token);
      return token && result && hasWaiters(this.#sql) ? { token, result } : null;
    }

    #arm(): void {
      const due = this.#nextDue();
      if (due !== null) this.#alarm.by(due);
    }

    /** When the alarm has something to do; null: never. What it says when all is done is when this object is forgotten. */
    #nextDue(): number | null {
      const token = core.readToken(this.#sql);
      if (!token) return claimExpiry(this.#sql);
      if (this.#undelivered() || core.unprojected(this.#sql)) return Date.now() + SAFETY_MS;
      if (token.completedAt === null) return token.timeoutAt;
      // A key must not outlive its token: the next creation with it would make the token again.
      return Math.max(token.completedAt + DEFAULTS.retentionMs, token.idempotencyKeyExpiresAt ?? 0);
    }

    #has(environmentKey: string): boolean {
      return hasTables(this.#sql) && core.readToken(this.#sql)?.environmentKey === environmentKey;
    }
  };
}
