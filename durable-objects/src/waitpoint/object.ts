import { DurableObject } from "cloudflare:workers";
import { DEFAULTS, type OperationResult } from "@acme/sdk/contract";
import type { TokenAnswerer } from "@acme/sdk/contract/api";
import { StatePublisher } from "../lib/state-publisher.ts";
import { parseEnvironmentId } from "../routing/environment-id.ts";
import type { ObjectBindings } from "../routing/stubs.ts";
import { claimExpiry } from "../shared/key-claim.ts";
import { addWaiter, hasWaiters, notifyWaiters, type OperationWaiter } from "../shared/operation-waiters.ts";
import { Lifecycle, SAFETY_MS } from "../shared/self-deleting-object.ts";
import * as core from "./core.ts";
import type { WaitpointOwnerRpc, WaitpointProjection, WaitpointRecord, WaitpointRow } from "./rpc.ts";
import { WAITPOINT_MIGRATIONS } from "./schema.ts";

export interface WaitpointObjectDependencies<Env extends ObjectBindings> {
  openProjection(env: Env): WaitpointProjection;
}

/**
 * The object of one token, which is completed once: from outside, or by its timeout. It notifies the operations that wait
 * for the token until they acknowledge the result. Under another name it is the home of a token's idempotency key.
 */
export function waitpointObject<Env extends ObjectBindings>(dependencies: WaitpointObjectDependencies<Env>) {
  return class extends DurableObject<Env> implements WaitpointOwnerRpc {
    readonly #life: Lifecycle;
    readonly #waiters: StatePublisher<{ token: WaitpointRecord; result: OperationResult }>;
    readonly #querySide: StatePublisher<WaitpointRow>;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#life = new Lifecycle(ctx, {
        migrations: WAITPOINT_MIGRATIONS,
        nextDue: () => this.#nextDue(),
        serve: async () => {
          core.timeOut(this.#life.sql, Date.now());
          await Promise.all([this.#waiters.publish(), this.#querySide.publish()]);
        },
      });
      const projection = dependencies.openProjection(env);
      this.#waiters = new StatePublisher(
        () => this.#undelivered(),
        ({ token, result }) => notifyWaiters(this.#life.sql, env, token.environmentKey, result),
      );
      this.#querySide = new StatePublisher(
        () => core.unprojected(this.#life.sql),
        async (row) => {
          await projection.upsertWaitpoints([row]);
          core.projected(this.#life.sql, row.version);
        },
      );
    }

    async createToken(token: core.NewToken): Promise<WaitpointRecord> {
      this.#life.create();
      const createdAt = parseEnvironmentId(token.id)?.createdAt ?? Date.now();
      return this.#change(() => core.createToken(this.#life.sql, token, createdAt)) as WaitpointRecord;
    }

    async completeToken(
      environmentKey: string,
      output: core.TokenOutput,
      answeredBy?: TokenAnswerer,
    ): Promise<WaitpointRecord | null> {
      if (!this.#has(environmentKey)) return null;
      return this.#change(() => core.completeToken(this.#life.sql, output, Date.now(), answeredBy));
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
        const token = core.readToken(this.#life.sql);
        result = token && core.resultOf(token);
        if (!result) addWaiter(this.#life.sql, waiter);
      });
      return result;
    }

    async claimKey(claim: { id: string; expiresAt: number }) {
      return this.#life.claimKey(claim);
    }

    override async alarm(info?: AlarmInvocationInfo): Promise<void> {
      await this.#life.alarm(info);
    }

    /**
     * Applies a change in one transaction, after a timeout that is already due, and then notifies the waiters
     * and the query side.
     */
    #change(work: () => void): WaitpointRecord | null {
      const { sql } = this.#life;
      sql.transaction(() => {
        core.timeOut(sql, Date.now());
        work();
      });
      this.#life.arm();
      if (this.#undelivered()) this.ctx.waitUntil(this.#waiters.publish());
      if (core.unprojected(sql)) this.ctx.waitUntil(this.#querySide.publish());
      return core.readToken(sql);
    }

    /** Returns the result while some waiter has not acknowledged it. */
    #undelivered(): { token: WaitpointRecord; result: OperationResult } | null {
      const token = core.readToken(this.#life.sql);
      const result = token && core.resultOf(token);
      return token && result && hasWaiters(this.#life.sql) ? { token, result } : null;
    }

    #nextDue(): number | null {
      const { sql } = this.#life;
      const token = core.readToken(sql);
      if (!token) return claimExpiry(sql);
      if (this.#undelivered() || core.unprojected(sql)) return Date.now() + SAFETY_MS;
      if (token.completedAt === null) return token.timeoutAt;
      // A key must not outlive its token: the next creation with it would make the token again.
      return Math.max(token.completedAt + DEFAULTS.retentionMs, token.idempotencyKeyExpiresAt ?? 0);
    }

    #has(environmentKey: string): boolean {
      return this.#life.exists && core.readToken(this.#life.sql)?.environmentKey === environmentKey;
    }
  };
}
