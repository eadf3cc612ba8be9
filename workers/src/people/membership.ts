import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Role } from "@acme/sdk/contract/api";
import { and, asc, eq, isNull, type SQL } from "drizzle-orm";
import { forgetBranches } from "../auth/branch.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { environmentColumns, selectEnvironments } from "../storage/select-environments.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";

/** What a person is a member of is asked for again after this time at most. */
export const MEMBERSHIP_CACHE_MS = 10_000;

export interface Membership {
  role: Role;
  environment: EnvironmentRef;
  /** It is a branch that is out of use: it can be looked at. */
  archived: boolean;
}

const memberships = new Cache<Membership>(MEMBERSHIP_CACHE_MS);
const projectMemberships = new Cache<Membership[]>(MEMBERSHIP_CACHE_MS);
const projectEnvironments = new Cache<EnvironmentRef[]>(MEMBERSHIP_CACHE_MS);

/** For when memberships, projects or environments were changed: this isolate then knows of it at once. */
export function forgetMemberships(): void {
  memberships.clear();
  projectMemberships.clear();
  projectEnvironments.clear();
  forgetBranches();
}

/** Throws a 409 for a change of a branch that is archived. */
export function requireInUse(method: string, { archived, environment }: Membership): void {
  if (!archived || method === "GET" || method === "HEAD") return;
  throw new Failure(
    409,
    "branch_archived",
    `The branch "${environment.slug}" is archived: it can only be looked at. Create the branch again to use it. Nothing was changed.`,
  );
}

/** An environment and the person's role in its organization. Null: not found, or the person is no member. */
export const membershipOf = (
  connection: () => SqlConnection,
  userId: string,
  environmentId: string,
): Promise<Membership | null> =>
  memberships.through(`${userId} ${environmentId}`, async () => {
    const opened = connection();
    const named = eq(opened.tables.environments.id, environmentId);
    return (await memberEnvironments(opened, userId, named, { archived: true }))[0] ?? null;
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
    return (await memberEnvironments(opened, userId, named, { archived: true }))[0] ?? null;
  });

/** All environments of a project, archived branches too, with the person's role. Empty: not found, or the person is no member. */
export const membershipsOfProject = async (
  connection: () => SqlConnection,
  userId: string,
  ref: string,
): Promise<Membership[]> =>
  (await projectMemberships.through(`${userId} ${ref}`, () => {
    const opened = connection();
    return memberEnvironments(opened, userId, eq(opened.tables.projects.ref, ref), { archived: true });
  })) ?? [];

/** The same for an organization, whose access token asks. */
export const environmentsOfProject = async (
  connection: () => SqlConnection,
  organizationId: string,
  ref: string,
): Promise<EnvironmentRef[]> =>
  (await projectEnvironments.through(`${organizationId} ${ref}`, async () => {
    const opened = connection();
    const { organizations, projects, environments } = opened.tables;
    return selectEnvironments(opened)
      .where(and(eq(organizations.id, organizationId), eq(projects.ref, ref), isNull(projects.deletedAt)))
      .orderBy(asc(environments.slug));
  })) ?? [];

/** The same, by the environment's id or by `PROJECTREF/SLUG`. */
export function membershipByName(
  connection: () => SqlConnection,
  userId: string,
  name: string,
): Promise<Membership | null> {
  const slash = name.indexOf("/");
  return slash < 0
    ? membershipOf(connection, userId, name)
    : membershipByPath(connection, userId, name.slice(0, slash), name.slice(slash + 1));
}

/** Environments that match, of the organizations that a person is a member of; archived branches only when asked for. */
export async function memberEnvironments(
  { db, tables }: SqlConnection,
  userId: string,
  where?: SQL,
  { archived = false } = {},
): Promise<Membership[]> {
  const { organizations, projects, environments, members } = tables;
  const rows = await db
    .select({ role: members.role, archivedAt: environments.archivedAt, ...environmentColumns(tables) })
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
  return rows.map(({ role, archivedAt, ...environment }) => ({
    role,
    environment,
    archived: archivedAt !== null,
  }));
}
