import type { Sql, SqlRow } from "../../lib/sql.ts";
import type { TriggerItem, TriggerResult } from "../../queue/rpc.ts";
import type { EnvironmentRef } from "../../routing/refs.ts";
import { type DeployedTasks, runOfTick } from "./run-of-tick.ts";
import { type ScheduleRow, timesOf } from "./store.ts";
import type { DueTick } from "./timing.ts";

/** A tick whose run is being created. */
export interface Firing extends SqlRow {
  seq: number;
  schedule: number;
  version: number;
  tick: number;
  next_tick: number | null;
  next_due: number | null;
  queue: string;
  partition: number;
  item: string;
}

export const itemOf = (firing: Firing): TriggerItem => JSON.parse(firing.item) as TriggerItem;

export interface FiringContext {
  environment: EnvironmentRef;
  deployed: DeployedTasks;
  /** No host could execute the runs, so ticks pass without one. */
  unserved: boolean;
  now: number;
}

/** Picks at most `limit` due schedules and prepares the runs of their ticks. Returns how many it picked. */
export function pickDue(sql: Sql, context: FiringContext, limit: number): number {
  const due = sql.exec<ScheduleRow>(
    "SELECT * FROM schedules WHERE due_at <= ? ORDER BY due_at LIMIT ? + 0",
    context.now,
    limit,
  );
  for (const row of due) pick(sql, context, row);
  return due.length;
}

function pick(sql: Sql, context: FiringContext, row: ScheduleRow): void {
  const { environment, deployed, now } = context;
  const due = timesOf(environment.key, row).latestDue(row.next_tick as number, now);
  const { next } = due;
  const run = context.unserved ? null : runOfTick(environment, deployed, row, due, now);
  if (run === null) {
    setNext(sql, row.seq, row.version, next);
    return;
  }
  sql.exec(
    `INSERT INTO firings (schedule, version, tick, next_tick, next_due, queue, partition, item)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    row.seq,
    row.version,
    due.tick,
    next?.tick ?? null,
    next?.dueAt ?? null,
    run.target.queue,
    run.target.partition,
    JSON.stringify(run.item),
  );
  sql.exec("UPDATE schedules SET due_at = NULL WHERE seq = ?", row.seq);
}

export const firingsAfter = (sql: Sql, seq: number, limit: number): Firing[] =>
  sql.exec<Firing>("SELECT * FROM firings WHERE seq > ? ORDER BY seq LIMIT ? + 0", seq, limit);

export const hasFirings = (sql: Sql): boolean =>
  sql.exec("SELECT 1 AS found FROM firings LIMIT 1").length > 0;

/** Completes a tick after the queue has answered: the schedule is due again at its next tick. */
export function fired(sql: Sql, firing: Firing, result: TriggerResult): void {
  sql.exec("DELETE FROM firings WHERE seq = ?", firing.seq);
  if (!result.error) {
    sql.exec(
      "UPDATE schedules SET last_tick = max(coalesce(last_tick, 0), ?) WHERE seq = ?",
      firing.tick,
      firing.schedule,
    );
  }
  const next =
    firing.next_tick === null ? null : { tick: firing.next_tick, dueAt: firing.next_due ?? firing.next_tick };
  setNext(sql, firing.schedule, firing.version, next);
}

/** Sets the next tick, unless the schedule's times were changed meanwhile. */
function setNext(sql: Sql, seq: number, version: number, next: DueTick | null): void {
  sql.exec(
    "UPDATE schedules SET next_tick = ?, due_at = ? WHERE seq = ? AND version = ?",
    next?.tick ?? null,
    next?.dueAt ?? null,
    seq,
    version,
  );
}
