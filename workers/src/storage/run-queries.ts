import type { RunRow } from "@acme/durable-objects/rpc";
import { isFinal, RUN_STATUSES, RunStatus } from "@acme/sdk/contract";
import { and, type Column, eq, getTableColumns, gte, inArray, lte, type SQL, sql } from "drizzle-orm";
import { NOT_SUCCEEDED } from "./not-succeeded.ts";
import type { RunFilter } from "./repository.ts";
import { type Branch, indexOf } from "./run-filter.ts";
import type { PageStart } from "./run-pages.ts";
import type { SqlDatabase } from "./sql-database.ts";

/**
 * Returns the conditions of every query: the environment, and the filter without its tags, statuses and
 * tasks.
 */
function conditionsOf(database: SqlDatabase, environment: SQL, filter: RunFilter): SQL[] {
  const { runs } = database.tables;
  const conditions = [
    eq(runs.environmentKey, environment),
    filter.versions && database.isOneOf(runs.deploymentVersion, filter.versions),
    filter.queues && database.isOneOf(runs.queue, filter.queues),
    filter.machines && database.isOneOf(runs.machine, filter.machines),
    filter.batch === undefined ? undefined : eq(runs.batchId, filter.batch),
    filter.schedule === undefined ? undefined : eq(runs.scheduleId, filter.schedule),
    filter.rootRunId === undefined ? undefined : eq(runs.rootRunId, filter.rootRunId),
    filter.parentRunId === undefined ? undefined : eq(runs.parentRunId, filter.parentRunId),
    filter.error === undefined ? undefined : eq(runs.errorFingerprint, filter.error),
    filter.isTest === undefined ? undefined : eq(runs.isTest, filter.isTest),
    filter.from === undefined ? undefined : gte(runs.createdAt, filter.from),
    filter.to === undefined ? undefined : lte(runs.createdAt, filter.to),
  ];
  return conditions.filter((condition) => condition !== undefined);
}

/** Returns up to `limit` runs of one branch, from the anchor on. */
export async function selectBranch(
  database: SqlDatabase,
  environmentKey: string,
  filter: RunFilter,
  branch: Branch,
  start: PageStart,
  limit: number,
): Promise<RunRow[]> {
  const { runs } = database.tables;
  const list: List = { environment: sql`${environmentKey}`, status: branch.status, task: branch.task };
  const labels = labelsOf(branch);
  if (labels) {
    const ids = database.idsForEach(labels, (label) =>
      idsWithLabel(database, { ...list, label }, filter, branch, start, limit),
    );
    return selectById(database, ids, start, limit);
  }
  return database.db
    .select(getTableColumns(runs))
    .from(database.runsBy(indexOf(filter, branch)))
    .where(and(...conditionsOfList(database, list, filter), ...beyond([runs.createdAt, runs.id], start)))
    .orderBy(...orderOf([runs.createdAt, runs.id], start))
    .limit(limit);
}

/** The number of characters of an environment's key. */
const KEY_LENGTH = 8;

/**
 * Returns up to `limit` runs of several environments, from the anchor on, in one statement: each
 * environment's list of each branch contributes at most that many ids, and only those are sorted. A list's
 * name is the environment's key and the value of its branch.
 */
export function selectOfEnvironments(
  database: SqlDatabase,
  environmentKeys: string[],
  filter: RunFilter,
  branches: Branch[],
  start: PageStart,
  limit: number,
): PromiseLike<RunRow[]> | RunRow[] {
  const { runs } = database.tables;
  // The branches of a filter are of one kind.
  const kind = branches[0] as Branch;
  const labels = labelsOf(kind);
  const names = labels ?? branches.map(({ status, task }) => status ?? task ?? "");
  const lists = environmentKeys.flatMap((key) => names.map((name) => `${key}${name}`));
  const ids = database.idsForEach(lists, (wanted) => {
    const environment = sql`substr(${wanted}, 1, ${sql.raw(String(KEY_LENGTH))})`;
    const name = sql<never>`substr(${wanted}, ${sql.raw(String(KEY_LENGTH + 1))})`;
    if (labels) return idsWithLabel(database, { environment, label: name }, filter, kind, start, limit);
    const list: List = {
      environment,
      status: kind.status && name,
      task: kind.task === undefined ? undefined : name,
    };
    const position = [runs.createdAt, runs.id];
    const conditions = [...conditionsOfList(database, list, filter), ...beyond(position, start)];
    return sql`SELECT ${runs.id} AS run_id FROM ${database.runsBy(indexOf(filter, kind))} WHERE ${and(...conditions)}
      ORDER BY ${sql.join(orderOf(position, start), sql`, `)} LIMIT ${limit}`;
  });
  return selectById(database, ids, start, limit);
}

/** Part of a branch: of one environment, one status or one task. */
interface List {
  environment: SQL;
  status?: RunStatus | SQL<never>;
  task?: string | SQL<never>;
}

/** The bulk actions or tags whose runs `run_tags` lists. */
const labelsOf = ({ bulkAction, tags }: Branch): string[] | undefined =>
  bulkAction === undefined ? tags : [bulkAction];

function conditionsOfList(
  database: SqlDatabase,
  { environment, status, task }: List,
  filter: RunFilter,
): SQL[] {
  const { runs } = database.tables;
  const conditions = conditionsOf(database, environment, filter);
  if (status !== undefined) conditions.push(eq(runs.status, status), NOT_SUCCEEDED);
  else if (filter.statuses) conditions.push(database.isOneOf(runs.status, filter.statuses));
  if (task !== undefined) conditions.push(eq(runs.task, task));
  else if (filter.tasks) conditions.push(database.isOneOf(runs.task, filter.tasks));
  return conditions;
}

function selectById(
  { db, tables: { runs } }: SqlDatabase,
  ids: SQL,
  start: PageStart,
  limit: number,
): PromiseLike<RunRow[]> | RunRow[] {
  return db
    .select(getTableColumns(runs))
    .from(runs)
    .where(sql`${runs.id} IN (${ids})`)
    .orderBy(...orderOf([runs.createdAt, runs.id], start))
    .limit(limit);
}

/**
 * Returns a query for the ids of up to `limit` runs with a tag or of a bulk action, from the anchor on. It
 * scans their index range and sorts nothing.
 */
function idsWithLabel(
  database: SqlDatabase,
  list: List & { label: SQL },
  filter: RunFilter,
  { bulkAction }: Branch,
  start: PageStart,
  limit: number,
): SQL {
  const { runs, runTags } = database.tables;
  const position = [runTags.createdAt, runTags.runId];
  const ofBulkAction = bulkAction !== undefined;
  const all = [
    eq(runTags.environmentKey, list.environment),
    sql`${runTags.tag} = ${list.label}`,
    database.holds(ofBulkAction ? runs.bulkActions : runs.tags, list.label),
    ...(ofBulkAction && filter.tags ? [database.holdsOneOf(runs.tags, filter.tags)] : []),
    ...conditionsOfList(database, list, filter),
    ...beyond(position, start),
  ];
  return sql`SELECT ${runTags.runId} AS run_id FROM ${runTags} JOIN ${runs} ON ${runs.id} = ${runTags.runId}
    WHERE ${and(...all)} ORDER BY ${sql.join(orderOf(position, start), sql`, `)} LIMIT ${limit}`;
}

const orderOf = ([createdAt, id]: Column[], { backwards }: PageStart): SQL[] => {
  const direction = sql.raw(backwards ? "ASC" : "DESC");
  return [sql`${createdAt} ${direction}`, sql`${id} ${direction}`];
};

/**
 * The condition for rows past the anchor, in the direction of the page. If the anchor no longer exists, its
 * id gives its place.
 */
function beyond([createdAt, id]: Column[], { backwards, anchor }: PageStart): SQL[] {
  if (!anchor) return [];
  const known = sql`(SELECT created_at FROM runs WHERE id = ${anchor.id} AND environment_key = ${anchor.environmentKey})`;
  const past = sql.raw(backwards ? ">" : "<");
  return [sql`(${createdAt}, ${id}) ${past} (coalesce(${known}, ${anchor.createdAt}), ${anchor.id})`];
}

/**
 * Counts runs by status. Most runs succeeded, and no index has them by status, so their number is the total
 * minus the others: with a filter of time or task, both counts read only an index.
 */
export async function countByStatus(
  database: SqlDatabase,
  environmentKey: string,
  filter: RunFilter,
): Promise<Map<RunStatus, number>> {
  const { runs, runTags } = database.tables;
  const conditions = conditionsOf(database, sql`${environmentKey}`, filter);
  if (filter.tasks) conditions.push(database.isOneOf(runs.task, filter.tasks));
  const labelled = (labels: string[], column: Column) => {
    const listed = and(eq(runTags.environmentKey, environmentKey), database.isOneOf(runTags.tag, labels));
    const ids = database.db.select({ id: runTags.runId }).from(runTags).where(listed);
    conditions.push(sql`${runs.id} IN (${ids})`, database.holdsOneOf(column, labels));
  };
  if (filter.tags) labelled(filter.tags, runs.tags);
  if (filter.bulkAction !== undefined) labelled([filter.bulkAction], runs.bulkActions);
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

/**
 * Counts unfinished runs by status, with one range of the index of runs that have not succeeded per status.
 */
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
