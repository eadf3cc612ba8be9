import type { Sql, SqlRow } from "../lib/sql.ts";
import { DELAY_CLASSES_MS, METRICS_MINUTE_MS } from "../routing/metrics-classes.ts";
import type { MetricsMinute } from "./rpc.ts";

/** Minutes that are kept: a day. */
const KEPT_MINUTES = 24 * 60;

interface MetricsRow extends SqlRow {
  minute: number;
  queued_most: number;
  queued_last: number;
  running_most: number;
  running_last: number;
  started: number;
  ended: number;
  delays: string;
}

const SELECT = "SELECT * FROM metrics WHERE minute";

/**
 * Counts what happens in a queue, minute by minute, for a day. The current minute is in memory; it is written
 * at its end and when the object's alarm fires. A crash loses some seconds of it, and no run costs a write.
 */
export class QueueMetrics {
  readonly #sql: Sql;
  #current: MetricsMinute | null = null;
  #isWritten = true;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** To be called after each change, with how many runs wait and hold a slot now, and how many ended with it. */
  observe(now: number, { queued, running, ended }: { queued: number; running: number; ended: number }): void {
    const minute = this.#minuteOf(now);
    minute.queuedMost = Math.max(minute.queuedMost, queued);
    minute.runningMost = Math.max(minute.runningMost, running);
    minute.queuedLast = queued;
    minute.runningLast = running;
    minute.ended += ended;
    this.#isWritten = false;
  }

  /** Records that a run is dequeued for the first time after it waited for this long. */
  started(now: number, delayMs: number): void {
    const minute = this.#minuteOf(now);
    const found = DELAY_CLASSES_MS.findIndex((most) => delayMs <= most);
    const index = found < 0 ? DELAY_CLASSES_MS.length : found;
    minute.delays[index] = (minute.delays[index] ?? 0) + 1;
    minute.started += 1;
    this.#isWritten = false;
  }

  /** Writes what is not written yet. */
  flush(): void {
    const minute = this.#current;
    if (!minute || this.#isWritten) return;
    this.#sql.exec(
      `INSERT INTO metrics (minute, queued_most, queued_last, running_most, running_last, started, ended, delays)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (minute) DO UPDATE SET queued_most = excluded.queued_most, queued_last = excluded.queued_last,
         running_most = excluded.running_most, running_last = excluded.running_last, started = excluded.started,
         ended = excluded.ended, delays = excluded.delays`,
      minute.minute,
      minute.queuedMost,
      minute.queuedLast,
      minute.runningMost,
      minute.runningLast,
      minute.started,
      minute.ended,
      JSON.stringify(minute.delays),
    );
    this.#sql.exec("DELETE FROM metrics WHERE minute <= ?", minute.minute - KEPT_MINUTES);
    this.#isWritten = true;
  }

  /**
   * Returns the minutes from `from` to before `to` in which something happened, and the last one before them.
   */
  read(from: number, to: number): MetricsMinute[] {
    this.flush();
    const before = this.#sql.exec<MetricsRow>(`${SELECT} < ? ORDER BY minute DESC LIMIT 1`, from);
    const rows = this.#sql.exec<MetricsRow>(`${SELECT} >= ? AND minute < ? ORDER BY minute`, from, to);
    return [...before, ...rows].map(minuteOf);
  }

  #minuteOf(now: number): MetricsMinute {
    const number = Math.floor(now / METRICS_MINUTE_MS);
    // After the clock was set back, the current minute continues.
    if (this.#current && this.#current.minute >= number) return this.#current;
    this.flush();
    const known = this.#sql.exec<MetricsRow>(`${SELECT} = ?`, number)[0];
    const { queuedLast = 0, runningLast = 0 } = this.#current ?? {};
    this.#current = known
      ? minuteOf(known)
      : {
          minute: number,
          queuedMost: queuedLast,
          queuedLast,
          runningMost: runningLast,
          runningLast,
          started: 0,
          ended: 0,
          delays: [],
        };
    return this.#current;
  }
}

const minuteOf = (row: MetricsRow): MetricsMinute => ({
  minute: row.minute,
  queuedMost: row.queued_most,
  queuedLast: row.queued_last,
  runningMost: row.running_most,
  runningLast: row.running_last,
  started: row.started,
  ended: row.ended,
  // A missing entry is null in JSON.
  delays: Array.from(JSON.parse(row.delays) as (number | null)[], (count) => count ?? 0),
});
