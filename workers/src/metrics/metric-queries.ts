import { RunStatus } from "@acme/sdk/contract";
import { and, desc, eq, gte, inArray, isNotNull, lte, type SQL, sql } from "drizzle-orm";
import { NOT_SUCCEEDED } from "../storage/not-succeeded.ts";
import { HOUR_MS, SUM_COLUMNS } from "../storage/rollup-columns.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { isOneOf } from "../storage/sql-lists.ts";

export interface MetricsFilter {
  tasks?: string[];
  queues?: string[];
  machines?: string[];
}

export type GroupBy = "task" | "queue" | "machine";

/** Milliseconds since the epoch: `from` is the start of the first step, and `to` the end of the last one. */
export interface TimeSpan {
  from: number;
  to: number;
  /** Length of a step of the response. */
  resolution: number;
  /** Length of a step of the stored rows. */
  step: number;
}

/** Sums of a step, by column name. */
export type Sums = Record<string, number>;

export interface CountedStep {
  time: number;
  /** Empty without grouping. */
  key: string;
  machine: string;
  sums: Sums;
}

/** Uses one statement that scans one range of the table's key. */
export async function selectRollups(
  connection: SqlConnection,
  environmentKey: string,
  filter: MetricsFilter,
  { from, resolution, step }: TimeSpan,
  groupBy?: { by: GroupBy; most: number },
): Promise<CountedStep[]> {
  const { db, tables } = connection;
  const { runRollups } = tables;
  const isWanted = and(
    eq(runRollups.environmentKey, environmentKey),
    eq(runRollups.step, step),
    gte(runRollups.time, from),
    filter.tasks && isOneOf(connection, runRollups.task, filter.tasks),
    filter.queues && isOneOf(connection, runRollups.queue, filter.queues),
    filter.machines && isOneOf(connection, runRollups.machine, filter.machines),
  );
  const column = groupBy && runRollups[groupBy.by];
  const largest =
    column &&
    db
      .select({ key: column })
      .from(runRollups)
      .where(isWanted)
      .groupBy(column)
      .orderBy(desc(sql`sum(${runRollups.created})`), column)
      .limit(groupBy.most);
  const width = sql.raw(String(resolution));
  const time = sql<number>`${runRollups.time} - ${runRollups.time} % ${width}`.mapWith(Number);
  const key: SQL<string> = column ? sql<string>`${column}` : sql<string>`''`;
  const sums = Object.fromEntries(
    SUM_COLUMNS.map((name) => [name, sql<number>`sum(${sql.raw(name)})`.mapWith(Number)]),
  );
  const rows = await db
    .select({ time, key, machine: runRollups.machine, sums })
    .from(runRollups)
    .where(and(isWanted, largest && inArray(column, largest)))
    .groupBy(sql`1`, sql`2`, runRollups.machine);
  return rows as CountedStep[];
}

/**
 * Statuses of runs that have started and are unfinished. Runs that are pending again are left out: they are
 * few among many that have not started.
 */
const IN_PROGRESS = [RunStatus.EXECUTING, RunStatus.RETRYING, RunStatus.WAITING_ON_WAITPOINT];

/**
 * Counts runs that have started and are unfinished, by group. They are a small part of all runs, and an index
 * has them.
 */
export async function countInProgress(
  connection: SqlConnection,
  environmentKey: string,
  filter: MetricsFilter,
  groupBy?: GroupBy,
): Promise<Map<string, number>> {
  const { runs } = connection.tables;
  const key: SQL<string> = groupBy ? sql<string>`${runs[groupBy]}` : sql<string>`''`;
  const rows = await connection.db
    .select({ key, count: sql<number>`count(*)`.mapWith(Number) })
    .from(runs)
    .where(
      and(
        eq(runs.environmentKey, environmentKey),
        inArray(runs.status, IN_PROGRESS),
        NOT_SUCCEEDED,
        isNotNull(runs.startedAt),
        filter.tasks && isOneOf(connection, runs.task, filter.tasks),
        filter.queues && isOneOf(connection, runs.queue, filter.queues),
        filter.machines && isOneOf(connection, runs.machine, filter.machines),
      ),
    )
    .groupBy(sql`1`);
  return new Map(rows.map((row) => [row.key, row.count]));
}

export interface UsedRow {
  key: string;
  machine: string;
  runs: number;
  usageMs: number;
}

const DAY_MS = 24 * HOUR_MS;

/** Returns runs and machine time, by day, task or environment, and machine. */
export async function selectUsage(
  connection: SqlConnection,
  environmentKeys: string[],
  range: { from: number; to: number },
  by: "day" | "task" | "environment",
): Promise<UsedRow[]> {
  const { db, tables } = connection;
  const { runRollups } = tables;
  const day = sql.raw(String(DAY_MS));
  const key = {
    day: sql<string>`CAST(${runRollups.time} - ${runRollups.time} % ${day} AS TEXT)`,
    task: sql<string>`${runRollups.task}`,
    environment: sql<string>`${runRollups.environmentKey}`,
  }[by];
  const runs = sql<number>`sum(${runRollups.started})`.mapWith(Number);
  const usageMs = sql<number>`sum(${runRollups.usageMs})`.mapWith(Number);
  return db
    .select({ key, machine: runRollups.machine, runs, usageMs })
    .from(runRollups)
    .where(
      and(
        isOneOf(connection, runRollups.environmentKey, environmentKeys),
        eq(runRollups.step, HOUR_MS),
        gte(runRollups.time, range.from),
        lte(runRollups.time, range.to),
      ),
    )
    .groupBy(sql`1`, runRollups.machine);
}
