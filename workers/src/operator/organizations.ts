import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { isFinal, RUN_STATUSES, RunStatus } from "@acme/sdk/contract";
import type {
  ListOrganizationsQuery,
  OperatorCreateOrganizationBody,
  OperatorEnvironment,
  OperatorOrganization,
  OperatorOrganizationDetails,
} from "@acme/sdk/contract/api";
import { and, asc, count, eq, gt, gte, inArray, isNull, ne } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import type { App, Bindings } from "../bindings.ts";
import { newOrganization } from "../control/organizations.ts";
import { Failure } from "../http/failure.ts";
import { environmentObjectOf } from "../objects.ts";
import { isUniqueViolation, openSql, type SqlConnection } from "../storage/sql-connection.ts";
import { environmentView } from "../views/environment-view.ts";
import { environmentRefs } from "./environment-refs.ts";

const PAGE = 25;
const SHOWN_ENVIRONMENTS = 200;
const DAY_MS = 24 * 3_600_000;
export const DEFAULT_WEIGHT = 1;

const UNFINISHED = RUN_STATUSES.filter((status) => !isFinal(status));
const EXECUTING: RunStatus[] = [RunStatus.DEQUEUED, RunStatus.EXECUTING];

type Row = SqlConnection["tables"]["organizations"]["$inferSelect"];

/** Returns organizations in the order of their slugs. */
export async function listOrganizations(
  connection: SqlConnection,
  query: z.output<typeof ListOrganizationsQuery>,
): Promise<{ data: OperatorOrganization[]; pagination: { next?: string } }> {
  const { organizations } = connection.tables;
  const { "page[size]": size = PAGE, "page[after]": after } = query;
  const rows = await connection.db
    .select()
    .from(organizations)
    .where(after === undefined ? undefined : gt(organizations.slug, after))
    .orderBy(asc(organizations.slug))
    .limit(size + 1);
  const page = rows.slice(0, size);
  return {
    data: await withUse(connection, page),
    pagination: rows.length > size ? { next: page.at(-1)?.slug } : {},
  };
}

/** Counts what belongs to each of these organizations, with one query per kind. */
async function withUse(connection: SqlConnection, rows: Row[]): Promise<OperatorOrganization[]> {
  if (rows.length === 0) return [];
  const { db, tables } = connection;
  const { members, projects, environments, runs } = tables;
  const ids = rows.map(({ id }) => id);
  const ofProjects = and(inArray(projects.organizationId, ids), isNull(projects.deletedAt));
  const [people, theirs, places, unfinished] = await Promise.all([
    db
      .select({ id: members.organizationId, count: count() })
      .from(members)
      .where(inArray(members.organizationId, ids))
      .groupBy(members.organizationId),
    db
      .select({ id: projects.organizationId, count: count() })
      .from(projects)
      .where(ofProjects)
      .groupBy(projects.organizationId),
    db
      .select({ id: projects.organizationId, count: count() })
      .from(environments)
      .innerJoin(projects, eq(projects.id, environments.projectId))
      .where(and(ofProjects, isNull(environments.archivedAt)))
      .groupBy(projects.organizationId),
    db
      .select({ id: projects.organizationId, status: runs.status, count: count() })
      .from(environments)
      .innerJoin(projects, eq(projects.id, environments.projectId))
      .innerJoin(runs, eq(runs.environmentKey, environments.key))
      .where(
        and(ofProjects, inArray(runs.status, UNFINISHED), ne(runs.status, RunStatus.COMPLETED_SUCCESSFULLY)),
      )
      .groupBy(projects.organizationId, runs.status),
  ]);
  const sum = (counts: { id: string; count: number }[], id: string) =>
    counts.reduce((total, each) => total + (each.id === id ? each.count : 0), 0);
  const executing = unfinished.filter(({ status }) => EXECUTING.includes(status));
  return rows.map(({ id, slug, name, createdAt, weight, concurrencyCeiling }) => ({
    id,
    slug,
    name,
    createdAt: new Date(createdAt).toISOString(),
    members: sum(people, id),
    projects: sum(theirs, id),
    environments: sum(places, id),
    runs: { unfinished: sum(unfinished, id), executing: sum(executing, id) },
    weight: weight ?? DEFAULT_WEIGHT,
    concurrencyCeiling,
  }));
}

export async function organizationBySlug({ db, tables }: SqlConnection, slug: string): Promise<Row> {
  const { organizations } = tables;
  const row = (
    await db
      .select()
      .from(organizations)
      .where(eq(organizations.slug, slug.slice(0, 64)))
  )[0];
  if (row) return row;
  throw new Failure(
    404,
    "organization_not_found",
    `There is no organization "${slug.slice(0, 64)}". Nothing was changed.`,
  );
}

export async function organizationDetails(
  env: Bindings,
  connection: SqlConnection,
  slug: string,
): Promise<OperatorOrganizationDetails> {
  const { db, tables } = connection;
  const { projects, environments, runs } = tables;
  const row = await organizationBySlug(connection, slug);
  const own = eq(projects.organizationId, row.id);
  const [found, created, refs] = await Promise.all([
    withUse(connection, [row]),
    db
      .select({ count: count() })
      .from(environments)
      .innerJoin(projects, eq(projects.id, environments.projectId))
      .innerJoin(runs, eq(runs.environmentKey, environments.key))
      .where(and(own, gte(runs.createdAt, Date.now() - DAY_MS))),
    environmentRefs(connection, and(own, isNull(environments.archivedAt)), SHOWN_ENVIRONMENTS),
  ]);
  return {
    ...(found[0] as OperatorOrganization),
    runsOfLastDay: created[0]?.count ?? 0,
    environmentsInUse: await Promise.all(refs.map((ref) => useOf(env, ref))),
  };
}

async function useOf(env: Bindings, ref: EnvironmentRef): Promise<OperatorEnvironment> {
  const { settings, held, ready } = await environmentObjectOf(env, ref.key).environmentStats();
  return { ...environmentView(ref, settings), projectRef: ref.project.ref, running: held, ready };
}

/** Creates an organization without members: an owner is added with a sign-in link. */
export async function addOrganization(
  c: Context<App>,
  body: z.output<typeof OperatorCreateOrganizationBody>,
): Promise<OperatorOrganization> {
  const connection = openSql(c.env);
  const { slug } = body;
  try {
    await connection.atomically(newOrganization(c, connection, body).statements);
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Failure(409, "slug_taken", `There is an organization "${slug}" already. Nothing was created.`);
  }
  return (await withUse(connection, [await organizationBySlug(connection, slug)]))[0] as OperatorOrganization;
}
