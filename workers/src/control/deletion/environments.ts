import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { asc, eq } from "drizzle-orm";
import type { Context } from "hono";
import type { App } from "../../bindings.ts";
import { openSql } from "../../storage/sql-connection.ts";
import { projectOf } from "../project-of.ts";

/** Returns the project that the path names, and all of its environments, including archived branches. */
export async function environmentsOfProject(c: Context<App>): Promise<{
  project: { id: string; ref: string; name: string };
  environments: EnvironmentRef[];
}> {
  const { db, tables } = openSql(c.env);
  const { environments } = tables;
  const { id: organizationId, slug: organizationSlug, name } = c.var.member.organization;
  const organization = { id: organizationId, slug: organizationSlug, name };
  const project = projectOf(c.var.member);
  const { key, id, slug, type } = environments;
  const rows = await db
    .select({ key, id, slug, type })
    .from(environments)
    .where(eq(environments.projectId, project.id))
    .orderBy(asc(slug));
  return { project, environments: rows.map((row) => ({ ...row, project, organization })) };
}
