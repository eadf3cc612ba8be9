import { newId, randomBase36 } from "@acme/sdk/contract";
import type { DeletedProject, ProjectObject } from "@acme/sdk/contract/api";
import { and, asc, count, eq, inArray, isNull } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import type { App, Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { environmentObjectOf, schedulesOf } from "../objects.ts";
import { beginWithLimits } from "../operator/organization-limits.ts";
import { forgetMemberships, memberEnvironments } from "../people/membership.ts";
import { openSql, required } from "../storage/sql-connection.ts";
import { auditStatement } from "./audit.ts";
import { forgetOrganizations, type OrganizationMember } from "./authenticate-organization.ts";

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

/** A project with a production and a development environment, in one transaction. Keys are made apart. */
export async function createProject(c: Context<App>, name: string): Promise<ProjectObject> {
  const connection = openSql(c.env);
  const { db, tables, atomically } = connection;
  const { projects, environments } = tables;
  const organizationId = c.var.member.organization.id;
  const there = await db
    .select({ count: count() })
    .from(projects)
    .where(and(eq(projects.organizationId, organizationId), isNull(projects.deletedAt)));
  if ((there[0]?.count ?? 0) >= PROJECTS) {
    throw new Failure(
      403,
      "too_many_projects",
      `The organization has ${PROJECTS} projects, which is as many as it may. Nothing was created.`,
    );
  }
  const createdAt = Date.now();
  const row = { id: newId("project"), ref: `proj_${randomBase36(20)}`, name, organizationId, createdAt };
  const made = [
    { key: randomBase36(8), id: newId("env"), slug: "prod", type: "PRODUCTION" as const },
    { key: randomBase36(8), id: newId("env"), slug: "dev", type: "DEVELOPMENT" as const },
  ];
  const { organization } = c.var.member;
  for (const environment of made)
    await beginWithLimits(c.env, connection, { ...environment, project: row, organization });
  await atomically([
    db.insert(projects).values(row),
    ...made.map((each) => db.insert(environments).values({ ...each, projectId: row.id, createdAt })),
    auditStatement(c, connection, {
      organizationId,
      action: "project.created",
      target: { type: "project", id: row.id },
      scope: row.ref,
      details: { name },
    }),
  ]);
  forgetMemberships();
  return projectObject(row);
}

/** The project that the path names: `authenticateOrganization` has found it. */
export const projectOf = ({ project }: OrganizationMember): NonNullable<OrganizationMember["project"]> => {
  if (!project) throw new Error("The route's path names no project");
  return project;
};

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
  if (!row) throw new Failure(404, "project_not_found", "The project is not there any more.");
  return projectObject(row);
}

/**
 * Stops what a project does, then deletes it. Its environments are paused and their schedules turned off first: if that
 * is interrupted, the project is still there, quiet, and can be deleted again. What is left of it, its runs, goes as
 * their retention ends.
 */
export async function deleteProject(c: Context<App>): Promise<z.output<typeof DeletedProject>> {
  const connection = openSql(c.env);
  const { db, tables, atomically } = connection;
  const { projects, environments, apiKeys, variables } = tables;
  const project = projectOf(c.var.member);
  const all = (
    await memberEnvironments(connection, c.var.person.id, eq(projects.id, project.id), {
      archived: true,
    })
  ).map(({ environment }) => environment);
  for (const environment of all) {
    await environmentObjectOf(c.env, environment.key).updateEnvironment(environment, { paused: true });
    await stopSchedules(c.env, environment.key);
  }
  const now = Date.now();
  const keys = db
    .select({ key: environments.key })
    .from(environments)
    .where(eq(environments.projectId, project.id));
  const changed = await atomically([
    required(
      db
        .update(projects)
        .set({ deletedAt: now })
        .where(and(eq(projects.id, project.id), isNull(projects.deletedAt))),
    ),
    db
      .update(apiKeys)
      .set({ revokedAt: now })
      .where(and(inArray(apiKeys.environmentKey, keys), isNull(apiKeys.revokedAt))),
    db.delete(variables).where(inArray(variables.environmentKey, keys)),
    auditStatement(c, connection, {
      organizationId: c.var.member.organization.id,
      action: "project.deleted",
      target: { type: "project", id: project.id },
      scope: project.ref,
      details: { name: project.name, environments: all.map(({ slug }) => slug) },
    }),
  ]);
  forgetMemberships();
  forgetOrganizations();
  if (!changed) throw new Failure(404, "project_not_found", "The project was deleted by somebody else.");
  return {
    ref: project.ref,
    environments: all.map(({ slug }) => slug),
    apiKeysRevoked: changed[1] as number,
    variablesDeleted: changed[2] as number,
  };
}

/** Turns the schedules of an environment off, a page at a time. */
async function stopSchedules(env: Bindings, environmentKey: string): Promise<void> {
  const object = schedulesOf(env, environmentKey);
  for (let page = 1; ; page += 1) {
    const { schedules } = await object.listSchedules(page, 100);
    for (const { id, active } of schedules) if (active) await object.setScheduleActive(id, false);
    if (schedules.length < 100) return;
  }
}

const projectObject = (row: { id: string; ref: string; name: string; createdAt: number }): ProjectObject => ({
  id: row.id,
  ref: row.ref,
  name: row.name,
  createdAt: new Date(row.createdAt).toISOString(),
});
