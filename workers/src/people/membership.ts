import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Role } from "@acme/sdk/contract/api";
import { and, asc, eq, isNull, or, type SQL } from "drizzle-orm";
import { forgetBranches } from "../auth/branch.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { environmentName } from "../storage/environment-types.ts";
import { environmentColumns, selectEnvironments } from "../storage/select-environments.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";

/** How long a person's memberships are cached. */
export const MEMBERSHIP_CACHE_MS = 10_000;

export interface Membership {
  role: Role;
  environment: EnvironmentRef;
  /** What people call the environment. */
  name: string;
  /** True: the environment is an archived branch, which is read-only. */
  archived: boolean;
}

const memberships = new Cache<Membership>(MEMBERSHIP_CACHE_MS);
const projectMemberships = new Cache<Membership[]>(MEMBERSHIP_CACHE_MS);
const projectEnvironments = new Cache<EnvironmentRef[]>(MEMBERSHIP_CACHE_MS);

/**
 * To be called when memberships, projects or environments were changed, so that this isolate knows at once.
 */
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

/**
 * Returns an environment and the person's role in its organization; null if it is not found, or the person is
 * not a member.
 */
export const membershipOf = (
  connection: () => SqlConnection,
  userId: string,
  environmentId: string,
): Promise<Membership | null> =>
  memberships.through(`${userId} ${environmentId}`, () => membershipNow(connection(), userId, environmentId));

/** Does the same without the cache, for callers that keep the answer. */
export const membershipNow = async (
  connection: SqlConnection,
  userId: string,
  environmentId: string,
): Promise<Membership | null> => {
  const named = eq(connection.tables.environments.id, environmentId);
  return (await memberEnvironments(connection, userId, named, { archived: true }))[0] ?? null;
};

/** Does the same by the project's ref and the environment's slug. */
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

/** The environments of a project that a person may see, archived branches too, with the person's role. Empty: not found, or the person is no member. */
export const membershipsOfProject = async (
  connection: () => SqlConnection,
  userId: string,
  ref: string,
): Promise<Membership[]> =>
  (await projectMemberships.through(`${userId} ${ref}`, () => {
    const opened = connection();
    return memberEnvironments(opened, userId, eq(opened.tables.projects.ref, ref), { archived: true });
  })) ?? [];

/** Does the same for the access token of an organization. */
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

/** Does the same by the environment's id or by `PROJECTREF/SLUG`. */
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

/** A person sees everybody's environments and their own: a development environment of another member is not there for them. */
export const isVisibleTo = (
  { environments }: SqlConnection["tables"],
  userId: string | null,
): SQL | undefined =>
  or(isNull(environments.userId), userId === null ? undefined : eq(environments.userId, userId));

/**
 * Environments that match and that a person may see, of the organizations that they are a member of; archived branches only
 * on request.
 */
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
      archivedAt: environments.archivedAt,
      branch: environments.branch,
      ownerId: environments.userId,
      ...environmentColumns(tables),
    })
    .from(members)
    .innerJoin(organizations, eq(organizations.id, members.organizationId))
    .innerJoin(projects, eq(projects.organizationId, organizations.id))
    .innerJoin(environments, eq(environments.projectId, projects.id))
    .where(
      and(
        eq(members.userId, userId),
        isVisibleTo(tables, userId),
        isNull(projects.deletedAt),
        archived ? undefined : isNull(environments.archivedAt),
        where,
      ),
    )
    .orderBy(asc(organizations.slug), asc(projects.ref), asc(environments.slug));
  return rows.map(({ role, archivedAt, branch, ownerId, ...environment }) => ({
    role,
    environment,
    name: environmentName({ type: environment.type, branch, userId: ownerId }),
    archived: archivedAt !== null,
  }));
}
