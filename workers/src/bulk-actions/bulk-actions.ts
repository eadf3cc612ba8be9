import { objectOf } from "@acme/durable-objects/routing";
import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import {
  defaultQueueName,
  type PublicRunStatus,
  type RunStatus,
  randomBase36,
  statusesForPublic,
} from "@acme/sdk/contract";
import {
  BULK_LIMITS,
  type BulkActionResource,
  type BulkFilter,
  type CreateBulkActionBody,
  type ListBulkActionsQuery,
  type ListBulkActionsResponse,
  parseDuration,
} from "@acme/sdk/contract/api";
import { and, asc, count, desc, eq, gt, lt } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import type { App, Bindings } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { auditRow, deedIn } from "../control/audit.ts";
import { ERROR_PREFIX } from "../errors/error-id.ts";
import { Failure } from "../http/failure.ts";
import { environmentObjectOf } from "../objects.ts";
import type { RunFilter } from "../storage/repository.ts";
import { openSql, type SqlConnection } from "../storage/sql-connection.ts";
import { CANCELABLE } from "./object.ts";
import type { BulkActionRpc, BulkProgress, NewBulkAction } from "./rpc.ts";

const bulkActionOf = (env: Bindings, id: string): BulkActionRpc =>
  objectOf(env, "BULK_ACTION", env.BULK_ACTION, id);

/** Starts a bulk action, unless too many of the environment are in progress. */
export async function createBulkAction(
  c: Context<App>,
  body: z.output<typeof CreateBulkActionBody>,
): Promise<{ id: string }> {
  const { environment } = c.var;
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const { bulkActions } = tables;
  const now = Date.now();
  const pending = await db
    .select({ count: count() })
    .from(bulkActions)
    .where(and(eq(bulkActions.environmentKey, environment.key), eq(bulkActions.status, "PENDING")));
  if ((pending[0]?.count ?? 0) >= BULK_LIMITS.perEnvironmentAtOnce) {
    throw new Failure(
      429,
      "too_many_bulk_actions",
      `${BULK_LIMITS.perEnvironmentAtOnce} bulk actions of this environment are under way, which is as many as may. Nothing was started.`,
      { headers: { "x-should-retry": "false" } },
    );
  }
  const type = body.action === "cancel" ? "CANCEL" : "REPLAY";
  const selection: NewBulkAction["selection"] = body.filter
    ? { filter: filterOf(body.filter, type, now) }
    : { runIds: [...new Set(body.runIds)] };
  const details = body.filter
    ? { filter: body.filter }
    : { total: body.runIds?.length, runIds: body.runIds?.slice(0, 20) };
  return start(c, { environment, name: body.name ?? null, type, selection, details });
}

/** Cancels the unfinished runs of an environment. Returns null if it never had any run. */
export async function cancelUnfinished(
  c: Context<App>,
  environment: EnvironmentRef,
  name: string,
): Promise<{ id: string } | null> {
  const filter: RunFilter = { statuses: CANCELABLE, to: Date.now() };
  const { queues } = await environmentObjectOf(c.env, environment.key).environmentStats();
  if (queues === 0) return null;
  return start(c, { environment, name, type: "CANCEL", selection: { filter }, details: { name } });
}

interface Wanted extends Omit<NewBulkAction, "id" | "record"> {
  name: string | null;
  details: Record<string, unknown>;
}

/**
 * Passes the action to its object, which records it in this database and executes it, whatever happens to the
 * request afterwards.
 */
async function start(c: Context<App>, { name, details, ...action }: Wanted): Promise<{ id: string }> {
  const now = Date.now();
  const id = `bulk_${now.toString(36).padStart(9, "0")}${randomBase36(15)}`;
  const deed = deedIn(action.environment, {
    action: `bulk_action.${action.type.toLowerCase()}`,
    target: { type: "bulk_action", id },
    details,
  });
  await bulkActionOf(c.env, id).start({
    id,
    ...action,
    record: { name, createdAt: now, audit: auditRow(c, deed) },
  });
  return { id };
}

/** Runs that are created from now on don't match, otherwise a replay would never end. */
function filterOf(filter: z.output<typeof BulkFilter>, type: "CANCEL" | "REPLAY", now: number): RunFilter {
  const at = (moment: string | number | undefined) =>
    moment === undefined ? undefined : new Date(moment).getTime();
  const wanted = filter.status?.flatMap(statusesOf) ?? (type === "CANCEL" ? CANCELABLE : undefined);
  const period = filter.period === undefined ? undefined : now - (parseDuration(filter.period) ?? 0);
  return {
    statuses: wanted,
    tasks: filter.taskIdentifier,
    versions: filter.version,
    tags: filter.tag,
    queues: filter.queue?.map(({ type, name }) => (type === "task" ? defaultQueueName(name) : name)),
    machines: filter.machine,
    batch: filter.batch,
    schedule: filter.schedule,
    bulkAction: filter.bulkAction,
    error: filter.error?.slice(ERROR_PREFIX.length),
    isTest: filter.isTest,
    from: period ?? at(filter.from),
    to: Math.min(at(filter.to) ?? now, now),
  };
}

function statusesOf(name: string): RunStatus[] {
  const statuses = statusesForPublic(name as PublicRunStatus);
  if (statuses.length > 0) return statuses;
  throw new Failure(
    400,
    "invalid_request",
    `There is no status "${name.slice(0, 64)}" of runs. Nothing was started.`,
  );
}

type Row = SqlConnection["tables"]["bulkActions"]["$inferSelect"];

export async function retrieveBulkAction(c: Context<App>, id: string): Promise<BulkActionResource> {
  return resourceOf(c.env, await rowOf(c, id));
}

async function rowOf(c: Context<App>, id: string): Promise<Row> {
  const { db, tables } = openSql(c.env);
  const { bulkActions } = tables;
  const where = and(
    eq(bulkActions.id, id.slice(0, 64)),
    eq(bulkActions.environmentKey, c.var.environment.key),
  );
  const row = (await db.select().from(bulkActions).where(where))[0];
  if (row) return row;
  throw new Failure(
    404,
    "bulk_action_not_found",
    `There is no bulk action ${id.slice(0, 64)} in this environment. Nothing was changed.`,
  );
}

/** Aborts a bulk action. Completed work is kept, and a finished action is not changed. */
export async function abortBulkAction(c: Context<App>, id: string): Promise<{ id: string }> {
  const row = await rowOf(c, id);
  const deed = deedIn(c.var.environment, {
    action: "bulk_action.aborted",
    target: { type: "bulk_action", id: row.id },
  });
  await announced(c, deed, () => bulkActionOf(c.env, row.id).abort());
  return { id: row.id };
}

/** Lists bulk actions, newest first. */
export async function listBulkActions(
  c: Context<App>,
  query: z.output<typeof ListBulkActionsQuery>,
): Promise<z.output<typeof ListBulkActionsResponse>> {
  const { db, tables } = openSql(c.env);
  const { bulkActions } = tables;
  const size = query["page[size]"] ?? 25;
  const { "page[after]": after, "page[before]": before } = query;
  const backwards = before !== undefined;
  const found = await db
    .select()
    .from(bulkActions)
    .where(
      and(
        eq(bulkActions.environmentKey, c.var.environment.key),
        backwards ? gt(bulkActions.id, before) : after === undefined ? undefined : lt(bulkActions.id, after),
      ),
    )
    .orderBy(backwards ? asc(bulkActions.id) : desc(bulkActions.id))
    .limit(size + 1);
  const page = found.slice(0, size);
  const rows = backwards ? page.reverse() : page;
  const more = found.length > size;
  return {
    data: await Promise.all(rows.map((row) => resourceOf(c.env, row))),
    pagination: {
      ...((backwards || more) && rows.length > 0 ? { next: rows.at(-1)?.id } : {}),
      ...((backwards ? more : after !== undefined) && rows.length > 0 ? { previous: rows[0]?.id } : {}),
    },
  };
}

async function resourceOf(env: Bindings, row: Row): Promise<BulkActionResource> {
  const progress: BulkProgress =
    row.status === "PENDING"
      ? ((await bulkActionOf(env, row.id).progress()) ?? { ...row, status: "ABORTED", total: 0 })
      : row;
  const { status, total, success, failure, completedAt, failures } = progress;
  return {
    id: row.id,
    name: row.name ?? undefined,
    type: row.type,
    status,
    counts: { total, success, failure },
    createdAt: new Date(row.createdAt).toISOString(),
    completedAt: completedAt === null ? undefined : new Date(completedAt).toISOString(),
    failures,
  };
}
