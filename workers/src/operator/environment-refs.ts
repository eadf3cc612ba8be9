import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { and, asc, eq, isNull, type SQL } from "drizzle-orm";
import type { SqlConnection } from "../storage/sql-connection.ts";

/** Environments that match, of projects that were not deleted, in the order of their keys. */
export async function environmentRefs(
  { db, tables }: SqlConnection,
  where: SQL | undefined,
  limit: number,
): Promise<EnvironmentRef[]> {
  const { organizations, projects, environments } = tables;
  return db
    .select({
      key: environments.key,
      id: environments.id,
      slug: environments.slug,
      type: environments.type,
      project: { id: projects.id, ref: projects.ref, name: projects.name },
      organization: { id: organizations.id, slug: organizations.slug, name: organizations.name },
    })
    .from(environments)
    .innerJoin(projects, eq(projects.id, environments.projectId))
    .innerJoin(organizations, eq(organizations.id, projects.organizationId))
    .where(and(isNull(projects.deletedAt), where))
    .orderBy(asc(environments.key))
    .limit(limit);
}
