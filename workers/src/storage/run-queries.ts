import type { RunRow } from "@acme/durable-objects/rpc";
import { isFinal, RUN_STATUSES, RunStatus } from "@acme/sdk/contract";
import { and, eq, getTableColumns, gte, inArray, lte, type SQL, sql } from "drizzle-orm";
import { NOT_SUCCEEDED } from "./not-succeeded.ts";
import type { RunFilter } from "./repository.ts";
import { type Branch, indexOf } from "./run-filter.ts";
import type { PageStart } from "./run-pages.ts";
import type { SqlDatabase } from "./sql-database.ts";

/** The conditions of every query: the environment, and the filter without its tags, statuses and tasks. */
function conditionsOf(database: SqlDatabase, environmentKey: string, filter: RunFilter): SQL[] {
  const { runs } = database.tables;
  const conditions = [
    eq(runs.environmentKey, environmentKey),
    filter.versions && database.isOneOf(runs.deploymentVersion, filter.versions),
    filter.queues && database.isOneOf(runs.queue, filter.queues),
    filter.machines && database.isOneOf(runs.machine, filter.machines),
    filter.batch === undefined ? undefined : eq(runs.batchId, filter.batch),
    filter.schedule === undefined ? undefined : eq(runs.scheduleId, filter.schedule),
    filter.rootRunId === undefined ? undefined : eq(runs.rootRunId, filter.rootRunId),
    filter.parentRunId === undefined ? undefined : eq(runs.parentRunId, filter.parentRunId),
    filter.isTest === undefined ? undefined : eq(runs.isTest, filter.isTest),
    filter.from === undefined ? undefined : gte(runs.createdAt, filter.from),
    filter.to === undefined ? undefined : lte(runs.createdAt, filter.to),
  ];
  return conditions.filter((condition) => condition !== undefined);
}

/** Up to `limit` runs of one branch, from the anchor on. */
export async function selectBranch(
  database: SqlDatabase,
  environmentKey: string,
  filter: RunFilter,
  branch: Branch,
  { backwards, anchor }: PageStart,
  limit: number,
): Promise<RunRow[]> {
  const { runs } = database.tables;
  const conditions = conditionsOf(database, environmentKey, filter);
  if (branch.status !== undefined) conditions.push(eq(runs.status, branch.status), NOT_SUCCEEDED);
  else if (filter.statuses) conditions.push(database.isOneOf(runs.status, filter.statuses));
  if (branch.task !== undefined) conditions.push(eq(runs.task, branch.task));
  else if (filter.tasks) conditions.push(database.isOneOf(runs.task, filter.tasks));

  const select = database.db.select(getTableColumns(runs));
  const direction = sql.raw(backwards ? "ASC" : "DESC");
  const order = [sql`${runs.createdAt} ${direction}`, sql`${runs.id} ${direction}`];
  if (branch.tags) {
    const ids = database.idsForEach(branch.tags, (tag) =>
      idsWithTag(database, environmentKey, tag, conditions, { backwards, anchor }, limit),
    );
    return select
      .from(runs)
      .where(sql`${runs.id} IN (${ids})`)
      .orderBy(...order)
      .limit(limit);
  }
  if (anchor) conditions.push(beyond([runs.createdAt, runs.id], environmentKey, anchor, backwards));
  return select
    .from(database.runsBy(indexOf(filter, branch)))
    .where(and(...conditions))
    .orderBy(...order)
    .limit(limit);
}

/** A query of the ids of up to `limit` runs with a tag, from the anchor on: it walks the tag's list and sorts nothing. */
function idsWithTag(
  database: SqlDatabase,
  environmentKey: string,
  tag: SQL,
  conditions: SQL[],
  { backwards, anchor }: PageStart,
  limit: number,
): SQL {
  const { runs, runTags } = database.tables;
  const position = [runTags.createdAt, runTags.runId];
  const all = [
    eq(runTags.environmentKey, environmentKey),
    sql`${runTags.tag} = ${tag}`,
    database.holds(runs.tags, tag),
    ...conditions,
    ...(anchor ? [beyond(position, environmentKey, anchor, backwards)] : []),
  ];
  const direction = sql.raw(backwards ? "ASC" : "DESC");
  return sql`SELECT ${runTags.runId} AS run_id FROM ${runTags} JOIN ${runs} ON ${runs.id} = ${runTags.runId}
    WHERE ${and(...all)} ORDER BY ${runTags.createdAt} ${direction}, ${runTags.runId} ${direction} LIMIT ${limit}`;
}

/** Rows past the anchor, in the direction of the page. If the anchor itself is gone, its id gives its place. */
function beyond(
  position: unknown[],
  environmentKey: string,
  anchor: { id: string; createdAt: number },
  backwards: boolean,
): SQL {
  const [createdAt, id] = position;
  const known = sql`(SELECT created_at FROM runs WHERE id = ${anchor.id} AND environment_key = ${environmentKey})`;
  const past = sql.raw(backwards ? ">" : "<");
  return sql`(${createdAt}, ${id}) ${past} (coalesce(${known}, ${anchor.createdAt}), ${anchor.id})`;
}

/**
 * Runs by status. Those that succeeded are most of all, and no index has them by status: they are what is left of all
 * that match, so that with a filter of time or task, both counts read an index only.
 */
export async function countByStatus(
  database: SqlDatabase,
  environmentKey: string,
  filter: RunFilter,
): Promise<Map<RunStatus, number>> {
  const { runs, runTags } = database.tables;
  const conditions = conditionsOf(database, environmentKey, filter);
  if (filter.tasks) conditions.push(database.isOneOf(runs.task, filter.tasks));
  if (filter.tags) {
    const tagged = and(
      eq(runTags.environmentKey, environmentKey),
      database.isOneOf(runTags.tag, filter.tags),
    );
    const ids = database.db.select({ id: runTags.runId }).from(runTags).where(tagged);
    conditions.push(sql`${runs.id} IN (${ids})`, database.holdsOneOf(runs.tags, filter.tags));
  }
  const count = sql<number>`count(*)`.mapWith(Number);
  const all = database.db
    .select({ status: sql<RunStatus>`'all'`, count })
    .from(runs)
    .where(and(...conditions));
  const found = await database.db
    .select({ status: sql<RunStatus>`${runs.status}`, count })
    .from(runs)
    .where(and(...conditions, NOT_SUCCEEDED))
    .groupBy(runs.status)
    .unionAll(all);
  const counts = new Map<string, number>(found.map((row) => [row.status, row.count]));
  const total = counts.get("all") ?? 0;
  counts.delete("all");
  const others = [...counts.values()].reduce((sum, n) => sum + n, 0);
  counts.set(RunStatus.COMPLETED_SUCCESSFULLY, total - others);
  return counts as Map<RunStatus, number>;
}

/** Runs that are not over, by status: one part of the index of runs that have not succeeded for each status. */
export function countUnfinished(
  { db, runsBy, tables }: SqlDatabase,
  environmentKey: string,
): PromiseLike<{ status: RunStatus; count: number }[]> | { status: RunStatus; count: number }[] {
  const { runs } = tables;
  const unfinished = RUN_STATUSES.filter((status) => !isFinal(status));
  const count = sql<number>`count(*)`.mapWith(Number);
  return db
    .select({ status: sql<RunStatus>`${runs.status}`, count })
    .from(runsBy("runs_not_succeeded"))
    .where(and(eq(runs.environmentKey, environmentKey), inArray(runs.status, unfinished), NOT_SUCCEEDED))
    .groupBy(runs.status);
}
