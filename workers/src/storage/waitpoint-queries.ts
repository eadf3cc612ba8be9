import { parseEnvironmentId } from "@acme/durable-objects/routing";
import type { WaitpointRow } from "@acme/durable-objects/rpc";
import { and, asc, desc, eq, gt, gte, lt, lte, type SQL, sql } from "drizzle-orm";
import { storableJson } from "./projected-rows.ts";
import type { WaitpointFilter, WaitpointListing, WaitpointPage } from "./repository.ts";
import type { SqlDatabase } from "./sql-database.ts";

const EMPTY: WaitpointListing = { waitpoints: [], next: null, previous: null };

/** Adds a row, or replaces an older one. */
export async function upsertWaitpoint({ db, tables }: SqlDatabase, given: WaitpointRow): Promise<void> {
  const { waitpoints } = tables;
  const row = JSON.parse(storableJson(given)) as WaitpointRow;
  await db
    .insert(waitpoints)
    .values(row)
    .onConflictDoUpdate({
      target: [waitpoints.environmentKey, waitpoints.id],
      set: { status: row.status, version: row.version, completedAt: row.completedAt },
      setWhere: sql`excluded.version > ${waitpoints.version}`,
    });
}

/**
 * Returns matching tokens, newest first, with one query per status, each of which scans an index in the
 * list's order.
 */
export async function listWaitpoints(
  database: SqlDatabase,
  environmentKey: string,
  filter: WaitpointFilter,
  { limit, after, before }: WaitpointPage,
): Promise<WaitpointListing> {
  const anchor = before ?? after;
  if (anchor !== undefined && parseEnvironmentId(anchor)?.environmentKey !== environmentKey) return EMPTY;
  const backwards = before !== undefined;
  const branches: (WaitpointRow["status"] | undefined)[] = filter.statuses
    ? [...new Set(filter.statuses)]
    : [undefined];
  const { waitpoints } = database.tables;
  const shared = conditionsOf(database, environmentKey, filter);
  if (anchor !== undefined) shared.push(backwards ? gt(waitpoints.id, anchor) : lt(waitpoints.id, anchor));
  const found = await Promise.all(
    branches.map((status) =>
      database.db
        .select()
        .from(waitpoints)
        .where(and(...shared, status && eq(waitpoints.status, status)))
        .orderBy(backwards ? asc(waitpoints.id) : desc(waitpoints.id))
        .limit(limit + 1),
    ),
  );
  const up = (a: WaitpointRow, b: WaitpointRow) => (a.id < b.id ? -1 : 1);
  const sorted = found.flat().sort((a, b) => (backwards ? up(a, b) : up(b, a)));
  const more = sorted.length > limit;
  const rows = sorted.slice(0, limit);
  if (backwards) rows.reverse();
  const older = backwards ? true : more;
  const newer = backwards ? more : anchor !== undefined;
  return {
    waitpoints: rows,
    next: older ? (rows.at(-1)?.id ?? null) : null,
    previous: newer ? (rows[0]?.id ?? null) : null,
  };
}

function conditionsOf(database: SqlDatabase, environmentKey: string, filter: WaitpointFilter): SQL[] {
  const { waitpoints } = database.tables;
  const conditions = [
    eq(waitpoints.environmentKey, environmentKey),
    filter.idempotencyKey === undefined ? undefined : eq(waitpoints.idempotencyKey, filter.idempotencyKey),
    filter.tags && database.holdsOneOf(waitpoints.tags, filter.tags),
    filter.from === undefined
      ? undefined
      : gte(waitpoints.id, boundary(environmentKey, filter.from, "00000000")),
    filter.to === undefined ? undefined : lte(waitpoints.id, boundary(environmentKey, filter.to, "zzzzzzzz")),
  ];
  return conditions.filter((condition) => condition !== undefined);
}

/** Returns the first or last id that a token of this millisecond can have. */
const boundary = (environmentKey: string, time: number, random: string): string =>
  `waitpoint_${environmentKey}${Math.min(Math.max(0, Math.floor(time)), 36 ** 9 - 1)
    .toString(36)
    .padStart(9, "0")}${random}`;
