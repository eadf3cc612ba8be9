import { parseRunId } from "@acme/sdk/contract";
import { hasTables, migrate, type Sql } from "../lib/sql.ts";
import type { LiveInterest } from "./rpc.ts";

/** A queue without listeners asks again after this long. */
export const SILENCE_MS = 60_000;

const MIGRATIONS = [
  "CREATE TABLE silent (queue_key TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
] as const;

/**
 * The changes that the subscriptions of an environment need, and the queues that send less than that. Those
 * queues are stored: after a restart of this object they are still silent, and have to be asked to send.
 */
export class Interest {
  readonly #sql: Sql;
  readonly #now: () => number;
  readonly #life: string;
  /** Subscriptions that need every change. */
  #lists = 0;
  /** Subscriptions by run, by queue. */
  readonly #runs = new Map<string, Map<string, number>>();
  /** Queues that don't send every change, and until when. */
  readonly #silent = new Map<string, number>();
  #at = 0;
  #silenced: (queueKey: string) => void = () => {};

  /** `life`: unique in the life of an object. */
  constructor(sql: Sql, now: () => number, life: string) {
    this.#sql = sql;
    this.#now = now;
    this.#life = life;
    if (!hasTables(sql)) return;
    for (const row of sql.exec<{ queue_key: string; until: number }>("SELECT queue_key, until FROM silent"))
      this.#silent.set(row.queue_key, row.until);
  }

  get needsAll(): boolean {
    return this.#lists > 0;
  }

  addList(): void {
    this.#lists += 1;
  }

  removeList(): void {
    this.#lists -= 1;
  }

  addRun(runId: string): void {
    const queueKey = queueOf(runId);
    const runs = this.#runs.get(queueKey) ?? new Map<string, number>();
    runs.set(runId, (runs.get(runId) ?? 0) + 1);
    this.#runs.set(queueKey, runs);
  }

  removeRun(runId: string): void {
    const queueKey = queueOf(runId);
    const runs = this.#runs.get(queueKey);
    const count = (runs?.get(runId) ?? 0) - 1;
    if (count > 0) runs?.set(runId, count);
    else runs?.delete(runId);
    if (runs?.size === 0) this.#runs.delete(queueKey);
  }

  /** Whether a queue that is given the interest sends the changes of this run. */
  wants(runId: string): boolean {
    return this.needsAll || (this.#runs.get(queueOf(runId))?.has(runId) ?? false);
  }

  /** Returns the interest that a queue is about to be given. */
  of(queueKey: string): LiveInterest {
    const now = this.#now();
    this.#at = Math.max(this.#at + 1, now);
    return {
      at: this.#at,
      life: this.#life,
      all: this.needsAll,
      runs: [...(this.#runs.get(queueKey)?.keys() ?? [])],
      forMs: SILENCE_MS,
    };
  }

  /** Calls `listener` with each queue that no longer sends every change. */
  onSilence(listener: (queueKey: string) => void): void {
    this.#silenced = listener;
  }

  /** Records that a queue was given this interest, or will be with the answer in progress. */
  given(queueKey: string, interest: LiveInterest): void {
    if (interest.all) {
      if (this.#silent.delete(queueKey)) this.#sql.exec("DELETE FROM silent WHERE queue_key = ?", queueKey);
      return;
    }
    this.#silenced(queueKey);
    // The queue's time starts when it receives the interest, which is later, so the time kept here must not
    // end earlier.
    const until = this.#now() + interest.forMs * 2;
    this.#silent.set(queueKey, until);
    if (!hasTables(this.#sql)) migrate(this.#sql, MIGRATIONS);
    this.#sql.exec(
      "INSERT INTO silent (queue_key, until) VALUES (?, ?) ON CONFLICT (queue_key) DO UPDATE SET until = excluded.until",
      queueKey,
      until,
    );
  }

  /** Returns the silent queues. It drops those whose silence has ended: they ask for the interest first. */
  silentQueues(): string[] {
    const now = this.#now();
    const over = [...this.#silent].filter(([, until]) => until < now).map(([queueKey]) => queueKey);
    for (const queueKey of over) {
      this.#silent.delete(queueKey);
      this.#sql.exec("DELETE FROM silent WHERE queue_key = ?", queueKey);
    }
    return [...this.#silent.keys()];
  }
}

export const queueOf = (runId: string): string => parseRunId(runId)?.queueKey ?? "";
