import type { Role } from "@acme/sdk/contract/api";
import { and, eq, isNull, or } from "drizzle-orm";
import type { Context } from "hono";
import type { OperationId } from "../auth/access.ts";
import { authenticateScopedToken, type HeldToken, hasAccessToken } from "../auth/access-token.ts";
import type { App } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { MEMBERSHIP_CACHE_MS } from "../people/membership.ts";
import { requireRole } from "../people/require-role.ts";
import { authenticateSession, type Person } from "../people/session.ts";
import { openSql, type SqlConnection } from "../storage/sql-connection.ts";

export interface OrganizationMember {
  role: Role;
  organization: { id: string; slug: string; name: string; concurrencyCeiling: number | null };
  /** Set if the path names a project. */
  project?: { id: string; ref: string; name: string };
}

const cache = new Cache<OrganizationMember>(MEMBERSHIP_CACHE_MS);

export const forgetOrganizations = (): void => cache.clear();

/**
 * Returns the organization that the path names by slug, id, or the ref of one of its projects, if the person
 * is a member whose role allows the operation. The person is signed in, or the owner of an access token of
 * that organization whose scopes allow it. Throws a 401, 403, 404 or 429.
 */
export async function authenticateOrganization(
  c: Context<App>,
  operation: OperationId,
): Promise<{ person: Person; token?: HeldToken; member: OrganizationMember }> {
  const token = hasAccessToken(c) ? await authenticateScopedToken(c, operation) : undefined;
  const person = token ? requirePerson(token) : (await authenticateSession(c)).user;
  const { organization = "", ref } = c.req.param() as Record<string, string>;
  const member = await cache.through(`${person.id} ${ref ?? ""} ${organization}`, () =>
    ref === undefined
      ? byOrganization(openSql(c.env), person.id, organization)
      : byProject(openSql(c.env), person.id, ref),
  );
  if (!member || (token && member.organization.id !== token.organizationId)) {
    throw ref === undefined ? organizationNotFound(organization) : projectNotFound(ref);
  }
  requireRole(member.role, operation);
  return { person, token, member };
}

/**
 * Does the same for a path that names a project, and also accepts an access token that is the organization's own: `c.var.token`
 * then has no person, and `c.var.person` is not set. Sets `member` in any case.
 */
export async function authenticateForProject(c: Context<App>, operation: OperationId): Promise<void> {
  const token = hasAccessToken(c) ? await authenticateScopedToken(c, operation) : undefined;
  if (token?.person !== null) {
    const found = await authenticateOrganization(c, operation);
    c.set("person", found.person);
    c.set("member", found.member);
  } else {
    const { ref = "" } = c.req.param() as Record<string, string>;
    const member = await cache.through(`${token.id} ${ref}`, () =>
      ofOrganization(openSql(c.env), token.organizationId, ref),
    );
    if (!member) throw projectNotFound(ref);
    c.set("member", member);
  }
  if (token) c.set("token", token);
}

/** The id of the person who makes a request; null for a token of an organization. */
export function callerIdOf(c: Context<App>): string | null {
  const { person, token } = c.var as Partial<typeof c.var>;
  return token ? (token.person?.id ?? null) : (person?.id ?? null);
}

/** Throws a 403 for a token that is nobody's. */
export function requirePerson({ person }: Pick<HeldToken, "person">): Person {
  if (person) return person;
  throw new Failure(
    403,
    "person_required",
    "This access token belongs to the organization and not to a person, whose role would decide this. Use a personal access token: `acme login`. Nothing was changed.",
  );
}

/** A token of an organization is bound by its scopes alone, which have been checked: no role narrows them. */
async function ofOrganization(
  { db, tables: { organizations, projects } }: SqlConnection,
  organizationId: string,
  ref: string,
): Promise<OrganizationMember | null> {
  const { id, slug, name, concurrencyCeiling } = organizations;
  const rows = await db
    .select({
      organization: { id, slug, name, concurrencyCeiling },
      project: { id: projects.id, ref: projects.ref, name: projects.name },
    })
    .from(projects)
    .innerJoin(organizations, eq(id, projects.organizationId))
    .where(and(eq(projects.ref, ref), isNull(projects.deletedAt), eq(id, organizationId)))
    .limit(1);
  return rows[0] ? { role: "owner", ...rows[0] } : null;
}

async function byOrganization(
  { db, tables: { organizations, members } }: SqlConnection,
  userId: string,
  name: string,
): Promise<OrganizationMember | null> {
  const { id, slug, name: title, concurrencyCeiling } = organizations;
  const rows = await db
    .select({ role: members.role, organization: { id, slug, name: title, concurrencyCeiling } })
    .from(members)
    .innerJoin(organizations, eq(id, members.organizationId))
    .where(and(eq(members.userId, userId), or(eq(slug, name), eq(id, name))))
    .limit(1);
  return rows[0] ?? null;
}

async function byProject(
  { db, tables: { organizations, members, projects } }: SqlConnection,
  userId: string,
  ref: string,
): Promise<OrganizationMember | null> {
  const { id, slug, name, concurrencyCeiling } = organizations;
  const rows = await db
    .select({
      role: members.role,
      organization: { id, slug, name, concurrencyCeiling },
      project: { id: projects.id, ref: projects.ref, name: projects.name },
    })
    .from(projects)
    .innerJoin(organizations, eq(id, projects.organizationId))
    .innerJoin(members, eq(members.organizationId, id))
    .where(and(eq(projects.ref, ref), isNull(projects.deletedAt), eq(members.userId, userId)));
  return rows[0] ?? null;
}

const organizationNotFound = (name: string): Failure =>
  new Failure(
    404,
    "organization_not_found",
    `There is no organization "${name.slice(0, 64)}" that you are a member of. Nothing was changed.`,
  );

const projectNotFound = (ref: string): Failure =>
  new Failure(
    404,
    "project_not_found",
    `There is no project "${ref.slice(0, 64)}" in an organization that you are a member of. Nothing was changed.`,
  );
