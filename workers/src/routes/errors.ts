import {
  ErrorId,
  IgnoreErrorBody,
  ListErrorsQuery,
  type ListErrorsResponse,
  ResolveErrorBody,
  RetrieveErrorQuery,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { actorOf, auditStatement, deedIn } from "../control/audit.ts";
import { ERROR_PREFIX } from "../errors/error-id.ts";
import {
  type ErrorGroupRow,
  isGroup,
  selectError,
  selectErrorCounts,
  selectErrors,
  selectErrorVersions,
} from "../errors/error-queries.ts";
import { errorDetail, errorItem, firstActivityHour } from "../errors/error-view.ts";
import { readBody } from "../http/body.ts";
import { rangeOf } from "../http/created-range.ts";
import { Failure, invalid } from "../http/failure.ts";
import { ownerOf } from "../objects.ts";
import { currentDeployment } from "../runs/current-deployment.ts";
import { openRepository } from "../storage/open.ts";
import { HOUR_MS } from "../storage/rollup-columns.ts";
import { stepOf, versionKey } from "../storage/run-facts.ts";
import { openSql, required } from "../storage/sql-connection.ts";

const PATH = "/api/v1/errors";
const DAY_MS = 24 * HOUR_MS;
const LONGEST_SERIES_MS = 90 * DAY_MS;
const LAST_RUNS = 10;
const AFFECTED_VERSIONS = 5;

export const errorRoutes = new Hono<App>()
  .get(PATH, access("listErrors"), async (c) => {
    const { environment } = c.var;
    const query = ListErrorsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const now = Date.now();
    const connection = openSql(c.env);
    const after = fingerprintOf(query.data["page[after]"]);
    const before = fingerprintOf(query.data["page[before]"]);
    const { groups, more } = await selectErrors(
      connection,
      environment.key,
      {
        tasks: query.data["filter[taskIdentifier]"],
        versions: query.data["filter[version]"],
        statuses: query.data["filter[status]"],
        search: query.data["filter[search]"],
        ...rangeOf(query.data),
      },
      { sort: query.data.sort ?? "lastSeen", limit: query.data["page[size]"] ?? 25, after, before },
      now,
    );
    const counts =
      groups.length === 0
        ? []
        : await selectErrorCounts(
            connection,
            environment.key,
            groups.map(({ fingerprint }) => fingerprint),
            firstActivityHour(now),
            now,
          );
    const [first, last] = [groups[0], groups.at(-1)];
    const hasNext = before !== undefined || more;
    const hasPrevious = before === undefined ? after !== undefined : more;
    const answer: ListErrorsResponse = {
      data: groups.map((group) => errorItem(group, counts, now)),
      pagination: {
        next: hasNext && last ? ERROR_PREFIX + last.fingerprint : undefined,
        previous: hasPrevious && first ? ERROR_PREFIX + first.fingerprint : undefined,
      },
    };
    return c.json(answer);
  })
  .get(`${PATH}/:errorId`, access("retrieveError"), async (c) => {
    const query = RetrieveErrorQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    return c.json(await detail(c, await groupOf(c), rangeOf(query.data)));
  })
  .post(`${PATH}/:errorId/resolve`, access("resolveError"), async (c) => {
    const { resolvedInVersion } = await readBody(c, ResolveErrorBody);
    const group = await groupOf(c);
    const current = await currentDeployment(c.env, c.var.environment.key);
    const newest = [group.lastVersion, versionKey(current?.deployment.version ?? null)].sort().at(-1) ?? "";
    const version = resolvedInVersion === undefined ? newest : versionKey(resolvedInVersion);
    await change(c, group, "error.resolved", {
      ...OPEN,
      status: "resolved",
      resolvedAt: Date.now(),
      resolvedInVersion: version || null,
      resolvedBy: actorOf(c).actorName,
    });
    return c.json(await detail(c, await groupOf(c)));
  })
  .post(`${PATH}/:errorId/ignore`, access("ignoreError"), async (c) => {
    const body = await readBody(c, IgnoreErrorBody);
    const group = await groupOf(c);
    const now = Date.now();
    await change(c, group, "error.ignored", {
      ...OPEN,
      status: "ignored",
      ignoredAt: now,
      ignoredUntil: body.duration === undefined ? null : now + body.duration,
      ignoredUntilCount: body.totalOccurrences === undefined ? null : group.count + body.totalOccurrences,
      ignoredUntilRate: body.occurrenceRate ?? null,
      ignoredReason: body.reason ?? null,
      ignoredBy: actorOf(c).actorName,
    });
    return c.json(await detail(c, await groupOf(c)));
  })
  .post(`${PATH}/:errorId/unresolve`, access("unresolveError"), async (c) => {
    await change(c, await groupOf(c), "error.unresolved", OPEN);
    return c.json(await detail(c, await groupOf(c)));
  });

type Changes = Partial<Omit<ErrorGroupRow, "environmentKey" | "fingerprint">>;

/** The state of an error that nobody has resolved or ignored. */
const OPEN = {
  status: "unresolved",
  resolvedAt: null,
  resolvedInVersion: null,
  resolvedBy: null,
  ignoredAt: null,
  ignoredUntil: null,
  ignoredUntilCount: null,
  ignoredUntilRate: null,
  ignoredReason: null,
  ignoredBy: null,
} satisfies Changes;

const fingerprintOf = (id: string | undefined): string | undefined => id?.slice(ERROR_PREFIX.length);

/** Returns the group that the path names. Throws a 404. */
async function groupOf(c: Context<App>): Promise<ErrorGroupRow> {
  const id = c.req.param("errorId") as string;
  const { environment } = c.var;
  const known = ErrorId.safeParse(id).success;
  const group = known
    ? await selectError(openSql(c.env), environment.key, id.slice(ERROR_PREFIX.length))
    : null;
  if (group) return group;
  throw new Failure(
    404,
    "error_not_found",
    `There is no error ${id.slice(0, 64)} in environment "${environment.slug}". GET ${PATH} lists them. Nothing was changed.`,
  );
}

/** Changes the group and records that in the audit log, both or neither. */
async function change(
  c: Context<App>,
  group: ErrorGroupRow,
  action: string,
  changes: Changes,
): Promise<void> {
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const { environment } = c.var;
  const deed = deedIn(environment, {
    action,
    target: { type: "error", id: ERROR_PREFIX + group.fingerprint },
    details: { task: group.task },
  });
  await connection.atomically([
    required(
      db
        .update(tables.errorGroups)
        .set(changes)
        .where(isGroup(tables.errorGroups, environment.key, group.fingerprint)),
    ),
    auditStatement(c, connection, deed),
  ]);
}

async function detail(c: Context<App>, group: ErrorGroupRow, range: { from?: number; to?: number } = {}) {
  const { environment } = c.var;
  const { fingerprint } = group;
  const now = Date.now();
  const to = Math.min(range.to ?? now, now);
  const from = Math.max(range.from ?? to - DAY_MS + HOUR_MS, to - LONGEST_SERIES_MS);
  const connection = openSql(c.env);
  const [counts, versions, { runs }] = await Promise.all([
    selectErrorCounts(connection, environment.key, [fingerprint], stepOf(from, HOUR_MS), to),
    selectErrorVersions(connection, environment.key, fingerprint, AFFECTED_VERSIONS),
    openRepository(c.env).listRuns(environment.key, { error: fingerprint }, { limit: LAST_RUNS }),
  ]);
  const newest = runs[0];
  const last = newest
    ? await ownerOf(c.env, environment.key, newest.id).retrieveRun(environment.key, newest.id)
    : null;
  return errorDetail(group, { counts, versions, runs, last, from, to }, now);
}
