import { and, asc, desc, eq, gte, inArray, lte, or, type SQL, sql } from "drizzle-orm";
import { HOUR_MS } from "../storage/rollup-columns.ts";
import { stepOf, versionKey } from "../storage/run-facts.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { containsText, isOneOf } from "../storage/sql-lists.ts";

export type ErrorGroupRow = SqlConnection["tables"]["errorGroups"]["$inferSelect"];
export type ErrorStatus = ErrorGroupRow["status"];

export interface ErrorFilter {
  tasks?: string[];
  versions?: string[];
  statuses?: ErrorStatus[];
  search?: string;
  /** Milliseconds since the epoch. Occurrences are counted by the hour. */
  from?: number;
  to?: number;
}

export interface ErrorPage {
  sort: "lastSeen" | "count";
  limit: number;
  /** The fingerprint from which the page continues. */
  after?: string;
  before?: string;
}

/** A group, with its number of occurrences in the requested time and versions. */
export type ListedError = ErrorGroupRow & { seen: number };

/**
 * An error that is ignored for a time becomes unresolved when that time has passed, even if it does not occur
 * again.
 */
export const statusNow = (group: Pick<ErrorGroupRow, "status" | "ignoredUntil">, now: number): ErrorStatus =>
  group.status === "ignored" && group.ignoredUntil !== null && group.ignoredUntil <= now
    ? "unresolved"
    : group.status;

/** Returns one page of an environment's errors, and whether there are more. */
export async function selectErrors(
  connection: SqlConnection,
  environmentKey: string,
  filter: ErrorFilter,
  page: ErrorPage,
  now: number,
): Promise<{ groups: ListedError[]; more: boolean }> {
  const { db, tables } = connection;
  const { errorGroups, errorCounts } = tables;
  const { from, to, versions } = filter;
  const counted = db
    .select({
      fingerprint: errorCounts.fingerprint,
      seen: sql<number>`sum(${errorCounts.count})`.mapWith(Number).as("seen"),
    })
    .from(errorCounts)
    .where(
      and(
        eq(errorCounts.environmentKey, environmentKey),
        from === undefined ? undefined : gte(errorCounts.hour, stepOf(from, HOUR_MS)),
        to === undefined ? undefined : lte(errorCounts.hour, to),
        versions && isOneOf(connection, errorCounts.version, versions.map(versionKey)),
      ),
    )
    .groupBy(errorCounts.fingerprint)
    .as("counted");
  const isCounted = from !== undefined || to !== undefined || versions !== undefined;
  const seen = isCounted ? sql<number>`${counted.seen}` : sql<number>`${errorGroups.count}`;
  const status = sql`CASE WHEN ${errorGroups.status} = 'ignored' AND ${errorGroups.ignoredUntil} <= ${now}
    THEN 'unresolved' ELSE ${errorGroups.status} END`;
  const backwards = page.before !== undefined;
  const anchor = page.before ?? page.after;
  const order = page.sort === "count" ? seen : sql`${errorGroups.lastSeen}`;
  const ofAnchor =
    page.sort === "lastSeen" || !isCounted
      ? sql`(SELECT ${sql.raw(page.sort === "count" ? "count" : "last_seen")} FROM error_groups WHERE environment_key = ${environmentKey} AND fingerprint = ${anchor})`
      : sql`coalesce((SELECT seen FROM ${db.select().from(counted).as("anchors")} WHERE fingerprint = ${anchor}), 0)`;
  const beyond =
    anchor === undefined
      ? undefined
      : sql`(${order}, ${errorGroups.fingerprint}) ${sql.raw(backwards ? ">" : "<")} (${ofAnchor}, ${anchor})`;
  const where = and(
    eq(errorGroups.environmentKey, environmentKey),
    filter.tasks && isOneOf(connection, errorGroups.task, filter.tasks),
    filter.statuses && inArray(status, filter.statuses),
    filter.search === undefined
      ? undefined
      : or(containsText(errorGroups.message, filter.search), containsText(errorGroups.name, filter.search)),
    beyond,
  );
  const way = backwards ? asc : desc;
  const selection = { group: errorGroups, seen: seen.mapWith(Number) };
  const base = db.select(selection).from(errorGroups);
  const joined = isCounted ? base.innerJoin(counted, eq(counted.fingerprint, errorGroups.fingerprint)) : base;
  const rows = await joined
    .where(where)
    .orderBy(way(order), way(errorGroups.fingerprint))
    .limit(page.limit + 1);
  const groups = rows.slice(0, page.limit).map(({ group, seen }) => ({ ...group, seen }));
  return { groups: backwards ? groups.reverse() : groups, more: rows.length > page.limit };
}

export async function selectError(
  { db, tables: { errorGroups } }: SqlConnection,
  environmentKey: string,
  fingerprint: string,
): Promise<ErrorGroupRow | null> {
  return (
    (
      await db
        .select()
        .from(errorGroups)
        .where(isGroup(errorGroups, environmentKey, fingerprint))
    )[0] ?? null
  );
}

export const isGroup = (
  errorGroups: SqlConnection["tables"]["errorGroups"],
  environmentKey: string,
  fingerprint: string,
): SQL | undefined =>
  and(eq(errorGroups.environmentKey, environmentKey), eq(errorGroups.fingerprint, fingerprint));

export interface SeenInHour {
  fingerprint: string;
  hour: number;
  /** In the form of `versionKey`. */
  version: string;
  count: number;
}

/** Returns how often errors occurred in each hour. */
export async function selectErrorCounts(
  connection: SqlConnection,
  environmentKey: string,
  fingerprints: string[],
  from: number,
  to: number,
): Promise<SeenInHour[]> {
  const { errorCounts } = connection.tables;
  return connection.db
    .select({
      fingerprint: errorCounts.fingerprint,
      hour: errorCounts.hour,
      version: errorCounts.version,
      count: errorCounts.count,
    })
    .from(errorCounts)
    .where(
      and(
        eq(errorCounts.environmentKey, environmentKey),
        isOneOf(connection, errorCounts.fingerprint, fingerprints),
        gte(errorCounts.hour, from),
        lte(errorCounts.hour, to),
      ),
    );
}

/** Returns the newest versions that failed with an error, newest first. */
export async function selectErrorVersions(
  { db, tables: { errorCounts } }: SqlConnection,
  environmentKey: string,
  fingerprint: string,
  limit: number,
): Promise<string[]> {
  const rows = await db
    .select({ version: errorCounts.version })
    .from(errorCounts)
    .where(and(eq(errorCounts.environmentKey, environmentKey), eq(errorCounts.fingerprint, fingerprint)))
    .groupBy(errorCounts.version)
    .orderBy(desc(errorCounts.version))
    .limit(limit);
  return rows.map(({ version }) => version).filter((version) => version !== "");
}
