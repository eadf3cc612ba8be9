import { newEnvironmentKey, objectOf } from "@acme/durable-objects/routing";
import { newId, randomBase36 } from "@acme/sdk/contract";
import type { DeletedProject, ProjectObject } from "@acme/sdk/contract/api";
import { and, asc, count, eq, isNull } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import { forgetKeys } from "../auth/credentials.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { beginWithLimits } from "../operator/organization-limits.ts";
import { forgetMemberships } from "../people/membership.ts";
import { openSql, required, type SqlConnection } from "../storage/sql-connection.ts";
import { auditRow, auditStatement } from "./audit.ts";
import { forgetOrganizations } from "./authenticate-organization.ts";
import { environmentsOfProject } from "./deletion/environments.ts";
import { projectOf } from "./project-of.ts";

const PROJECTS = 100;

export async function listProjects(c: Context<App>): Promise<ProjectObject[]> {
  const { db, tables } = openSql(c.env);
  const { projects } = tables;
  const rows = await db
    .select()
    .from(projects)
    .where(and(eq(projects.organizationId, c.var.member.organization.id), isNull(projects.deletedAt)))
    .orderBy(asc(projects.ref));
  return rows.map(projectObject);
}

/** What a new project has. */
const ENVIRONMENTS = [
  { slug: "prod", type: "PRODUCTION" },
  { slug: "dev", type: "DEVELOPMENT" },
] as const;

interface Owner {
  id: string;
  slug: string;
  name: string;
}

/**
 * Stores a project with a production and a development environment in one transaction. Keys are created
 * separately.
 */
export async function insertProject(
  c: Context<App>,
  connection: SqlConnection,
  organization: Owner,
  { ref, name }: { ref: string; name: string },
) {
  const { db, tables, atomically } = connection;
  const createdAt = Date.now();
  const row = { id: newId("project"), ref, name, organizationId: organization.id, createdAt };
  const made = [];
  for (const { slug, type } of ENVIRONMENTS) {
    const key = await newEnvironmentKey(c.env, type);
    made.push({ key, id: newId("env"), slug, type });
  }
  for (const environment of made)
    await beginWithLimits(c.env, connection, { ...environment, project: row, organization });
  await atomically([
    db.insert(tables.projects).values(row),
    ...made.map((each) => db.insert(tables.environments).values({ ...each, projectId: row.id, createdAt })),
    auditStatement(c, connection, {
      organizationId: organization.id,
      action: "project.created",
      target: { type: "project", id: row.id },
      scope: row.ref,
      details: { name },
    }),
  ]);
  forgetMemberships();
  return row;
}

export async function createProject(c: Context<App>, name: string): Promise<ProjectObject> {
  const connection = openSql(c.env);
  const { projects } = connection.tables;
  const { organization } = c.var.member;
  const there = await connection.db
    .select({ count: count() })
    .from(projects)
    .where(and(eq(projects.organizationId, organization.id), isNull(projects.deletedAt)));
  if ((there[0]?.count ?? 0) >= PROJECTS) {
    throw new Failure(
      403,
      "too_many_projects",
      `The organization has ${PROJECTS} projects, which is as many as it may. Nothing was created.`,
    );
  }
  const ref = `proj_${randomBase36(20)}`;
  return projectObject(await insertProject(c, connection, organization, { ref, name }));
}

export async function renameProject(c: Context<App>, name: string): Promise<ProjectObject> {
  const connection = openSql(c.env);
  const { projects } = connection.tables;
  const project = projectOf(c.var.member);
  const where = and(eq(projects.id, project.id), isNull(projects.deletedAt));
  await connection.atomically([
    required(connection.db.update(projects).set({ name }).where(where)),
    auditStatement(c, connection, {
      organizationId: c.var.member.organization.id,
      action: "project.renamed",
      target: { type: "project", id: project.id },
      scope: project.ref,
      details: { from: project.name, to: name },
    }),
  ]);
  forgetMemberships();
  forgetOrganizations();
  const row = (await connection.db.select().from(projects).where(where))[0];
  if (!row) throw new Failure(404, "project_not_found", "The project no longer exists.");
  return projectObject(row);
}

/**
 * Deletes a project: immediately for everybody, and then, step by step, the work and the data of its
 * environments (see `deletion/object.ts`). Once its object has the request, the deletion completes, whatever
 * happens to the server or the request.
 */
export async function deleteProject(c: Context<App>): Promise<z.output<typeof DeletedProject>> {
  const deletion = await environmentsOfProject(c);
  const { project, environments } = deletion;
  const audit = auditRow(c, {
    organizationId: c.var.member.organization.id,
    action: "project.deleted",
    target: { type: "project", id: project.id },
    scope: project.ref,
    details: { name: project.name, environments: environments.length },
  });
  const object = objectOf(c.env, "DELETION", c.env.DELETION, project.id);
  const rows = await object.start({ ...deletion, audit });
  forgetMemberships();
  forgetOrganizations();
  forgetKeys();
  return { ref: project.ref, environments: environments.map(({ slug }) => slug), ...rows };
}

const projectObject = (row: { id: string; ref: string; name: string; createdAt: number }): ProjectObject => ({
  id: row.id,
  ref: row.ref,
  name: row.name,
  createdAt: new Date(row.createdAt).toISOString(),
});
