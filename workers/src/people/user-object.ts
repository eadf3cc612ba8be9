import { DurableObject } from "cloudflare:workers";
import {
  DEFAULT_PREFERENCES,
  PREFERENCE_LIMITS,
  type Preferences,
  type RecentPayload,
} from "@acme/sdk/contract/api";
import type { Bindings } from "../bindings.ts";

export interface UserRpc {
  preferences(): Promise<Preferences>;
  /** Absent fields are not changed. */
  updatePreferences(changes: Partial<Preferences>): Promise<Preferences>;
  /** Returns the recent payloads of one task in one environment, newest first. */
  recentPayloads(environment: string, task: string): Promise<RecentPayload[]>;
  /** A payload that exists already becomes the newest. */
  addRecentPayload(environment: string, task: string, payload: string): Promise<RecentPayload[]>;
}

/** The dashboard's settings of one person. The object is named by the person's id. */
export class UserObject extends DurableObject<Bindings> implements UserRpc {
  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    ctx.storage.sql.exec(`CREATE TABLE IF NOT EXISTS preferences (
      one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL) STRICT`);
    ctx.storage.sql.exec(`CREATE TABLE IF NOT EXISTS payloads (
      number INTEGER PRIMARY KEY, environment TEXT NOT NULL, task TEXT NOT NULL, payload TEXT NOT NULL,
      used_at INTEGER NOT NULL) STRICT`);
    ctx.storage.sql.exec(
      "CREATE UNIQUE INDEX IF NOT EXISTS payloads_of_task ON payloads (environment, task, payload)",
    );
  }

  async preferences() {
    const rows = this.ctx.storage.sql.exec<{ value: string }>("SELECT value FROM preferences").toArray();
    // Fields that are missing, such as those of a later version, have their defaults.
    return { ...DEFAULT_PREFERENCES, ...(rows[0] ? (JSON.parse(rows[0].value) as Preferences) : {}) };
  }

  async updatePreferences(changes: Partial<Preferences>) {
    const preferences = { ...(await this.preferences()), ...changes };
    this.ctx.storage.sql.exec(
      "INSERT INTO preferences (one, value) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET value = excluded.value",
      JSON.stringify(preferences),
    );
    return preferences;
  }

  async recentPayloads(environment: string, task: string) {
    return this.ctx.storage.sql
      .exec<{ payload: string; used_at: number }>(
        "SELECT payload, used_at FROM payloads WHERE environment = ? AND task = ? ORDER BY number DESC",
        environment,
        task,
      )
      .toArray()
      .map(({ payload, used_at }) => ({ payload, usedAt: new Date(used_at).toISOString() }));
  }

  async addRecentPayload(environment: string, task: string, payload: string) {
    const { sql } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      const of = [environment, task] as const;
      sql.exec("DELETE FROM payloads WHERE environment = ? AND task = ? AND payload = ?", ...of, payload);
      sql.exec(
        "INSERT INTO payloads (environment, task, payload, used_at) VALUES (?, ?, ?, ?)",
        ...of,
        payload,
        Date.now(),
      );
      sql.exec(
        `DELETE FROM payloads WHERE environment = ? AND task = ? AND number NOT IN (
          SELECT number FROM payloads WHERE environment = ? AND task = ? ORDER BY number DESC LIMIT ? + 0)`,
        ...of,
        ...of,
        PREFERENCE_LIMITS.payloadsPerTask,
      );
      sql.exec(
        "DELETE FROM payloads WHERE number NOT IN (SELECT number FROM payloads ORDER BY number DESC LIMIT ? + 0)",
        PREFERENCE_LIMITS.payloads,
      );
    });
    return this.recentPayloads(environment, task);
  }
}
