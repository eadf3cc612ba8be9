import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Role } from "@acme/sdk/contract/api";
import { and, asc, eq, isNull, type SQL } from "drizzle-orm";
import { Cache } from "../http/cache.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";

/** What a person is a member of is asked for again after this time at most. */
export const MEMBERSHIP_CACHE_MS = 10_000;

export interface Membership {
  role: Role;
  environment: EnvironmentRef;
}

const memberships = new Cache<Membership>(MEMBERSHIP_CACHE_MS);

/** For when memberships, projects or environments were changed: this isolate then knows of it at once. */
export const forgetMemberships = (): void => memberships.clear();

/** An environment and the person's role in its organization. Null: not found, or the person is no member. */
export const membershipOf = (
  connection: () => SqlConnection,
  userId: string,
  environmentId: string,
): Promise<Membership | null> =>
  memberships.through(`${userId} ${environmentId}`, async () => {
    const opened = connection();
    return (
      (await memberEnvironments(opened, userId, eq(opened.tables.environments.id, environmentId)))[0] ?? null
    );
  });

/** The same, by the project's ref and the environment's slug. */
export const membershipByPath = (
  connection: () => SqlConnection,
  userId: string,
  projectRef: string,
  slug: string,
): Promise<Membership | null> =>
  memberships.through(`${userId} ${projectRef} ${slug}`, async () => {
    const opened = connection();
    const { projects, environments } = opened.tables;
    const named = and(eq(projects.ref, projectRef), eq(environments.slug, slug));
    return (await memberEnvironments(opened, userId, named))[0] ?? null;
  });

/** Environments that match, of the organizations that a person is a member of; archived branches only when asked for. */
export async function memberEnvironments(
  { db, tables }: SqlConnection,
  userId: string,
  where?: SQL,
  { archived = false } = {},
): Promise<Membership[]> {
  const { organizations, projects, environments, members } = tables;
  const rows = await db
    .select({
      role: members.role,
      environment: {
        key: environments.key,
        id: environments.id,
        slug: environments.slug,
        type: environments.type,
      },
      project: { id: projects.id, ref: projects.ref, name: projects.name },
      organization: { id: organizations.id, slug: organizations.slug, name: organizations.name },
    })
    .from(members)
    .innerJoin(organizations, eq(organizations.id, members.organizationId))
    .innerJoin(projects, eq(projects.organizationId, organizations.id))
    .innerJoin(environments, eq(environments.projectId, projects.id))
    .where(
      and(
        eq(members.userId, userId),
        isNull(projects.deletedAt),
        archived ? undefined : isNull(environments.archivedAt),
        where,
      ),
    )
    .orderBy(asc(organizations.slug), asc(projects.ref), asc(environments.slug));
  return rows.map(({ role, environment, project, organization }) => ({
    role,
    environment: { ...environment, project, organization },
  }));
}
