import { LIMITS, newId, type WorkerManifest } from "@acme/sdk/contract";
import type { ScheduleType, UpdateScheduleBody } from "@acme/sdk/contract/api";
import { log } from "../../lib/log.ts";
import type { Sql, SqlRow } from "../../lib/sql.ts";
import type { EnvironmentRef } from "../../routing/refs.ts";
import type { ScheduleError, ScheduleRecord } from "./rpc.ts";
import { type DueTick, ScheduleTimes, timingProblem } from "./timing.ts";

export interface ScheduleRow extends SqlRow {
  seq: number;
  id: string;
  type: ScheduleType;
  deduplication_key: string;
  task: string;
  external_id: string | null;
  cron: string;
  timezone: string;
  window: string | null;
  active: number;
  version: number;
  last_tick: number | null;
  next_tick: number | null;
  due_at: number | null;
}

export const timesOf = (environmentKey: string, row: ScheduleRow): ScheduleTimes =>
  new ScheduleTimes(row, environmentKey, `${row.type}\n${row.deduplication_key}`);

export const recordOf = (row: ScheduleRow): ScheduleRecord => ({
  id: row.id,
  type: row.type,
  task: row.task,
  active: row.active === 1,
  deduplicationKey: row.type === "IMPERATIVE" ? row.deduplication_key : null,
  externalId: row.external_id,
  cron: row.cron,
  timezone: row.timezone,
  window: row.window,
  lastTick: row.last_tick,
  nextTick: row.next_tick,
  // While a run is being created, `due_at` is null: its tick is due now.
  dueAt: row.due_at ?? row.next_tick,
});

/** Finds a schedule by id, or by the deduplication key of a created one. */
export function findSchedule(sql: Sql, ref: string): ScheduleRow | undefined {
  return (
    sql.exec<ScheduleRow>("SELECT * FROM schedules WHERE id = ?", ref)[0] ?? byKey(sql, "IMPERATIVE", ref)
  );
}

const byKey = (sql: Sql, type: ScheduleType, key: string): ScheduleRow | undefined =>
  sql.exec<ScheduleRow>("SELECT * FROM schedules WHERE type = ? AND deduplication_key = ?", type, key)[0];

export const countSchedules = (sql: Sql): number =>
  sql.exec<{ n: number }>("SELECT count(*) AS n FROM schedules")[0]?.n ?? 0;

export const listSchedules = (sql: Sql, page: number, perPage: number): ScheduleRow[] =>
  sql.exec<ScheduleRow>(
    "SELECT * FROM schedules ORDER BY seq DESC LIMIT ? + 0 OFFSET ?",
    perPage,
    (page - 1) * perPage,
  );

/** Returns when the next run is due; null if none is. */
export const nextDue = (sql: Sql): number | null =>
  sql.exec<{ at: number | null }>("SELECT min(due_at) AS at FROM schedules WHERE due_at IS NOT NULL")[0]
    ?.at ?? null;

/** Creates the schedule of this type and key, or updates it. */
export function upsertSchedule(
  sql: Sql,
  environmentKey: string,
  type: ScheduleType,
  key: string,
  body: UpdateScheduleBody,
  now: number,
): ScheduleRow {
  const known = byKey(sql, type, key);
  if (known) return replaceSchedule(sql, environmentKey, known, body, now);
  const row = sql.exec<ScheduleRow>(
    `INSERT INTO schedules (id, type, deduplication_key, task, external_id, cron, timezone, window, active, version)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 1) RETURNING *`,
    newId("sched"),
    type,
    key,
    ...contentOf(body),
  )[0] as ScheduleRow;
  return arm(sql, environmentKey, row, now);
}

/** Replaces all settings of a schedule. The time of its next run does not change unless its times do. */
export function replaceSchedule(
  sql: Sql,
  environmentKey: string,
  known: ScheduleRow,
  body: UpdateScheduleBody,
  now: number,
): ScheduleRow {
  const row = sql.exec<ScheduleRow>(
    `UPDATE schedules SET task = ?, external_id = ?, cron = ?, timezone = ?, window = ? WHERE seq = ? RETURNING *`,
    ...contentOf(body),
    known.seq,
  )[0] as ScheduleRow;
  const sameTimes = row.cron === known.cron && row.timezone === known.timezone && row.window === known.window;
  return sameTimes ? row : arm(sql, environmentKey, row, now);
}

export function setActive(
  sql: Sql,
  environmentKey: string,
  known: ScheduleRow,
  active: boolean,
  now: number,
): ScheduleRow {
  if ((known.active === 1) === active) return known;
  const row = sql.exec<ScheduleRow>(
    "UPDATE schedules SET active = ? WHERE seq = ? RETURNING *",
    active ? 1 : 0,
    known.seq,
  )[0] as ScheduleRow;
  return arm(sql, environmentKey, row, now);
}

export function deleteSchedule(sql: Sql, row: ScheduleRow): void {
  sql.exec("DELETE FROM firings WHERE schedule = ?", row.seq);
  sql.exec("DELETE FROM schedules WHERE seq = ?", row.seq);
}

/**
 * Replaces the declared schedules by those of a deployment's tasks. An unchanged schedule keeps its id and
 * its next run.
 */
export function syncDeclared(
  sql: Sql,
  environment: EnvironmentRef,
  manifest: WorkerManifest,
  now: number,
): void {
  const declared = new Set<string>();
  for (const { id, schedule } of manifest.tasks) {
    if (!schedule || !(schedule.environments ?? [environment.type]).includes(environment.type)) continue;
    const problem = timingProblem(schedule.cron, schedule.timezone);
    if (problem) {
      log.error(`A task has no schedule. ${problem.message}`, { environment: environment.key, task: id });
      continue;
    }
    const { cron, timezone, window } = schedule;
    upsertSchedule(sql, environment.key, "DECLARATIVE", id, { task: id, cron, timezone, window }, now);
    declared.add(id);
  }
  const all = sql.exec<ScheduleRow>("SELECT * FROM schedules WHERE type = 'DECLARATIVE'");
  for (const row of all) if (!declared.has(row.deduplication_key)) deleteSchedule(sql, row);
}

export const tooMany = (): ScheduleError => ({
  error: "too_many_schedules",
  message: `The environment has ${LIMITS.schedulesPerEnvironment} schedules, which is the limit. Delete some that are not needed any more. Nothing was created.`,
});

const contentOf = (body: UpdateScheduleBody) =>
  [
    body.task,
    body.externalId ?? null,
    body.cron,
    body.timezone ?? "UTC",
    body.window ?? null,
  ] as const satisfies readonly (string | null)[];

/**
 * Recomputes the next tick after the times of a schedule have changed. No tick that has a run, or is getting
 * one, fires again.
 */
function arm(sql: Sql, environmentKey: string, row: ScheduleRow, now: number): ScheduleRow {
  let due: DueTick | null = null;
  if (row.active === 1) {
    const firing = sql.exec<{ tick: number | null }>(
      "SELECT max(tick) AS tick FROM firings WHERE schedule = ?",
      row.seq,
    )[0];
    due = timesOf(environmentKey, row).after(Math.max(now, row.last_tick ?? 0, firing?.tick ?? 0));
  }
  return sql.exec<ScheduleRow>(
    "UPDATE schedules SET version = version + 1, next_tick = ?, due_at = ? WHERE seq = ? RETURNING *",
    due?.tick ?? null,
    due?.dueAt ?? null,
    row.seq,
  )[0] as ScheduleRow;
}
