import type { AlertDelivery } from "@acme/sdk/contract/api";
import { isoTime, optionalTime } from "../views/time.ts";
import type { Notice } from "./notice.ts";
import type { BegunBuild, DeliveryPage, FailedDeployment, FailedRun } from "./rpc.ts";
import type { Sent } from "./send.ts";

/** The maximum number of failed runs that wait for the alarm: more would not change any notice. */
const MOST_FAILURES = 1_000;
/** The maximum number of pending notices, and of kept deliveries. */
export const MOST_PENDING = 1_000;
const KEPT_DELIVERIES = 1_000;
const KEPT_NOTICES_MS = 30 * 86_400_000;
/** How long until a started delivery counts as lost with its object, and is sent again under the same id. */
const LEASE_MS = 60_000;
/** The delays before the second attempt, the third, and so on. */
export const RETRY_MS = [10_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 10_800_000] as const;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS failures (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, task TEXT NOT NULL, fingerprint TEXT NOT NULL,
    at INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS deployments (id TEXT PRIMARY KEY, version TEXT NOT NULL, error TEXT NOT NULL, at INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS builds (id TEXT PRIMARY KEY, due_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS noticed (rule_id TEXT NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (rule_id, subject)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, rule_id TEXT, channel_id TEXT NOT NULL,
    channel_name TEXT NOT NULL, target TEXT NOT NULL, notice TEXT NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL,
    next_at INTEGER, last_status INTEGER, last_error TEXT, created_at INTEGER NOT NULL, completed_at INTEGER);
  CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (next_at) WHERE status = 'pending'`;

export interface NewDelivery {
  id: string;
  ruleId: string | null;
  channelId: string;
  channelName: string;
  target: string;
  notice: Notice;
}

interface Row {
  [column: string]: SqlStorageValue;
  number: number;
  id: string;
  rule_id: string | null;
  channel_id: string;
  channel_name: string;
  target: string;
  notice: string;
  status: AlertDelivery["status"];
  attempts: number;
  next_at: number | null;
  last_status: number | null;
  last_error: string | null;
  created_at: number;
  completed_at: number | null;
}

export interface DueDelivery extends NewDelivery {
  number: number;
  attempts: number;
  createdAt: number;
}

/** The stored state of an environment's alerts. */
export class AlertStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    storage.sql.exec(SCHEMA);
  }

  get #sql(): SqlStorage {
    return this.#storage.sql;
  }

  addFailures(runs: FailedRun[]): void {
    this.#storage.transactionSync(() => {
      const { count } = this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM failures").one();
      for (const { runId, task, fingerprint, at } of runs.slice(0, Math.max(0, MOST_FAILURES - count)))
        this.#sql.exec(
          "INSERT INTO failures (run_id, task, fingerprint, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
          runId,
          task,
          fingerprint,
          at,
        );
    });
  }

  failures(): (FailedRun & { number: number })[] {
    return this.#sql
      .exec<{ number: number; run_id: string; task: string; fingerprint: string; at: number }>(
        "SELECT * FROM failures ORDER BY number",
      )
      .toArray()
      .map(({ run_id, ...row }) => ({ runId: run_id, ...row }));
  }

  forgetFailures(upTo: number): void {
    this.#sql.exec("DELETE FROM failures WHERE number <= ?", upTo);
  }

  addDeployment({ id, version, error, at }: FailedDeployment): void {
    this.#sql.exec(
      "INSERT INTO deployments (id, version, error, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      id,
      version,
      error,
      at,
    );
  }

  deployments(): FailedDeployment[] {
    return this.#sql
      .exec<{ id: string; version: string; error: string; at: number }>(
        "SELECT id, version, error, at FROM deployments WHERE done = 0",
      )
      .toArray();
  }

  deploymentDone(id: string): void {
    this.#sql.exec("UPDATE deployments SET done = 1 WHERE id = ?", id);
  }

  addBuild({ id, dueAt }: BegunBuild): void {
    this.#sql.exec("INSERT INTO builds (id, due_at) VALUES (?, ?) ON CONFLICT DO NOTHING", id, dueAt);
  }

  /** Builds that have had their time. */
  dueBuilds(now: number): string[] {
    return this.#sql
      .exec<{ id: string }>("SELECT id FROM builds WHERE due_at <= ?", now)
      .toArray()
      .map(({ id }) => id);
  }

  nextBuildAt(): number | null {
    return this.#sql.exec<{ at: number | null }>("SELECT min(due_at) AS at FROM builds").one().at;
  }

  /** The build of a due deployment was looked at: it failed by timing out, or was ended in time. */
  buildSeen(id: string, timedOut: FailedDeployment | null): void {
    this.#storage.transactionSync(() => {
      if (timedOut) this.addDeployment(timedOut);
      this.#sql.exec("DELETE FROM builds WHERE id = ?", id);
    });
  }

  /** Returns when a rule last gave notice of a subject; null if never, or long ago. */
  noticedAt(ruleId: string, subject: string): number | null {
    const rows = this.#sql
      .exec<{ at: number }>("SELECT at FROM noticed WHERE rule_id = ? AND subject = ?", ruleId, subject)
      .toArray();
    return rows[0]?.at ?? null;
  }

  /** Stores a notice and its deliveries: both or neither. */
  give(ruleId: string, subject: string, deliveries: NewDelivery[], now: number): void {
    this.#storage.transactionSync(() => {
      this.#sql.exec(
        "INSERT INTO noticed (rule_id, subject, at) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET at = ?3",
        ruleId,
        subject,
        now,
      );
      for (const delivery of deliveries) this.add(delivery, now, now);
      this.#sql.exec("DELETE FROM noticed WHERE at < ?", now - KEPT_NOTICES_MS);
      this.#sql.exec("DELETE FROM deployments WHERE done = 1 AND at < ?", now - KEPT_NOTICES_MS);
      this.#sql.exec(
        "DELETE FROM deliveries WHERE status <> 'pending' AND number <= (SELECT max(number) FROM deliveries) - ?",
        KEPT_DELIVERIES,
      );
    });
  }

  add(
    { id, ruleId, channelId, channelName, target, notice }: NewDelivery,
    now: number,
    nextAt: number,
  ): void {
    this.#sql.exec(
      `INSERT INTO deliveries (id, rule_id, channel_id, channel_name, target, notice, status, attempts, next_at, created_at)
       VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, ?, ?)`,
      id,
      ruleId,
      channelId,
      channelName,
      target,
      JSON.stringify(notice),
      nextAt,
      now,
    );
  }

  pending(): number {
    return this.#sql
      .exec<{ count: number }>("SELECT count(*) AS count FROM deliveries WHERE status = 'pending'")
      .one().count;
  }

  nextDeliveryAt(): number | null {
    return this.#sql
      .exec<{ at: number | null }>("SELECT min(next_at) AS at FROM deliveries WHERE status = 'pending'")
      .one().at;
  }

  /** Returns due deliveries. They are due again after a while, unless their end is stored by then. */
  begin(now: number, limit: number): DueDelivery[] {
    return this.#sql
      .exec<Row>(
        `UPDATE deliveries SET attempts = attempts + 1, next_at = ? WHERE number IN (
           SELECT number FROM deliveries WHERE status = 'pending' AND next_at <= ? ORDER BY next_at LIMIT ? + 0) RETURNING *`,
        now + LEASE_MS,
        now,
        limit,
      )
      .toArray()
      .map(dueOf);
  }

  beginOne(id: string, now: number): DueDelivery {
    const row = this.#sql
      .exec<Row>(
        "UPDATE deliveries SET attempts = attempts + 1, next_at = ? WHERE id = ? RETURNING *",
        now + LEASE_MS,
        id,
      )
      .one();
    return dueOf(row);
  }

  /**
   * Records the outcome of an attempt. It is the last one if it was accepted, can never be accepted, or was
   * the last allowed.
   */
  end(number: number, attempts: number, sent: Sent, now: number, retry = true): void {
    const delay = sent.final || !retry ? undefined : RETRY_MS[attempts - 1];
    const status = sent.ok ? "delivered" : delay === undefined ? "failed" : "pending";
    this.#sql.exec(
      "UPDATE deliveries SET status = ?, next_at = ?, last_status = ?, last_error = ?, completed_at = ? WHERE number = ?",
      status,
      status === "pending" ? now + (delay ?? 0) : null,
      sent.status,
      sent.error,
      status === "pending" ? null : now,
      number,
    );
  }

  page({ limit, after, channel, status }: DeliveryPage): {
    deliveries: AlertDelivery[];
    next: number | null;
  } {
    const rows = this.#sql
      .exec<Row>(
        `SELECT * FROM deliveries WHERE number < ?1 AND (?2 IS NULL OR channel_id = ?2) AND (?3 IS NULL OR status = ?3)
         ORDER BY number DESC LIMIT ?4 + 0`,
        after ?? Number.MAX_SAFE_INTEGER,
        channel ?? null,
        status ?? null,
        limit + 1,
      )
      .toArray();
    const shown = rows.slice(0, limit);
    return {
      deliveries: shown.map(deliveryView),
      next: rows.length > limit ? (shown.at(-1)?.number ?? null) : null,
    };
  }

  find(ids: string[]): AlertDelivery[] {
    return ids.flatMap((id) =>
      this.#sql.exec<Row>("SELECT * FROM deliveries WHERE id = ?", id).toArray().map(deliveryView),
    );
  }
}

const dueOf = (row: Row): DueDelivery => ({
  number: row.number,
  id: row.id,
  ruleId: row.rule_id,
  channelId: row.channel_id,
  channelName: row.channel_name,
  target: row.target,
  notice: JSON.parse(row.notice) as Notice,
  attempts: row.attempts,
  createdAt: row.created_at,
});

function deliveryView(row: Row): AlertDelivery {
  const { type, title } = JSON.parse(row.notice) as Notice;
  return {
    id: row.id,
    type,
    title,
    ruleId: row.rule_id,
    channelId: row.channel_id,
    channelName: row.channel_name,
    target: row.target,
    status: row.status,
    attempts: row.attempts,
    lastStatus: row.last_status,
    lastError: row.last_error,
    createdAt: isoTime(row.created_at),
    nextAttemptAt: optionalTime(row.next_at) ?? null,
    completedAt: optionalTime(row.completed_at) ?? null,
  };
}
