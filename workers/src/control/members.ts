import type { MemberObject, Role } from "@acme/sdk/contract/api";
import { and, asc, eq, gt, inArray, isNull, ne, or, type SQL, sql } from "drizzle-orm";
import type { Context } from "hono";
import { forgetKeys } from "../auth/credentials.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { forgetMemberships } from "../people/membership.ts";
import { openSql, required, type SqlConnection } from "../storage/sql-connection.ts";
import { auditStatement } from "./audit.ts";
import { forgetOrganizations } from "./authenticate-organization.ts";

export async function listMembers(c: Context<App>): Promise<MemberObject[]> {
  return membersWhere(openSql(c.env), c.var.member.organization.id);
}

async function membersWhere(
  { db, tables: { members, users } }: SqlConnection,
  organizationId: string,
  userId?: string,
): Promise<MemberObject[]> {
  const { id, email, name, image } = users;
  const rows = await db
    .select({ userId: id, email, name, image, role: members.role, joinedAt: members.createdAt })
    .from(members)
    .innerJoin(users, eq(id, members.userId))
    .where(
      and(
        eq(members.organizationId, organizationId),
        userId === undefined ? undefined : eq(members.userId, userId),
      ),
    )
    .orderBy(asc(members.createdAt), asc(id));
  return rows.map((row) => ({ ...row, joinedAt: new Date(row.joinedAt).toISOString() }));
}

/** Only owners may change who is an owner. An organization always has at least one. */
export async function changeRole(c: Context<App>, userId: string, role: Role): Promise<MemberObject> {
  const connection = openSql(c.env);
  const { members } = connection.tables;
  const organizationId = c.var.member.organization.id;
  const before = await memberOf(connection, organizationId, userId);
  if (role === "owner" || before.role === "owner") requireOwner(c);
  const changed = await connection.atomically([
    connection.lockOrganization(organizationId),
    required(
      connection.db
        .update(members)
        .set({ role })
        .where(
          and(
            eq(members.organizationId, organizationId),
            eq(members.userId, userId),
            eq(members.role, before.role),
            role === "owner" ? undefined : notTheLastOwner(connection, organizationId),
          ),
        ),
    ),
    auditStatement(c, connection, {
      organizationId,
      action: "member.role_changed",
      target: { type: "member", id: userId },
      details: { email: before.email, from: before.role, to: role },
    }),
  ]);
  if (!changed) throw await refusal(connection, organizationId, before);
  forget();
  return { ...before, role };
}

/**
 * Any member may leave; admins may remove others, and only owners may remove owners. The keys of the member's
 * own development environments end with the membership.
 */
export async function removeMember(c: Context<App>, userId: string): Promise<MemberObject> {
  const connection = openSql(c.env);
  const { members } = connection.tables;
  const { organization, role } = c.var.member;
  const before = await memberOf(connection, organization.id, userId);
  if (userId !== c.var.person.id) {
    if (role !== "admin" && role !== "owner")
      throw ownersOnly("Only admins and owners remove other members.");
    if (before.role === "owner") requireOwner(c);
  }
  const changed = await connection.atomically([
    connection.lockOrganization(organization.id),
    required(
      connection.db
        .delete(members)
        .where(
          and(
            eq(members.organizationId, organization.id),
            eq(members.userId, userId),
            eq(members.role, before.role),
            notTheLastOwner(connection, organization.id),
          ),
        ),
    ),
    endOfOwnKeys(connection, organization.id, userId),
    auditStatement(c, connection, {
      organizationId: organization.id,
      action: "member.removed",
      target: { type: "member", id: userId },
      details: { email: before.email, role: before.role },
    }),
  ]);
  if (!changed) throw await refusal(connection, organization.id, before);
  forget();
  forgetKeys();
  return before;
}

function endOfOwnKeys({ db, tables }: SqlConnection, organizationId: string, userId: string) {
  const { apiKeys, environments, projects } = tables;
  const now = Date.now();
  const own = db
    .select({ key: environments.key })
    .from(environments)
    .innerJoin(projects, eq(projects.id, environments.projectId))
    .where(and(eq(projects.organizationId, organizationId), eq(environments.userId, userId)));
  return db
    .update(apiKeys)
    .set({ revokedAt: now })
    .where(
      and(inArray(apiKeys.environmentKey, own), or(isNull(apiKeys.revokedAt), gt(apiKeys.revokedAt, now))),
    );
}

function forget(): void {
  forgetMemberships();
  forgetOrganizations();
}

async function memberOf(
  connection: SqlConnection,
  organizationId: string,
  userId: string,
): Promise<MemberObject> {
  const member = (await membersWhere(connection, organizationId, userId.slice(0, 64)))[0];
  if (member) return member;
  throw new Failure(
    404,
    "member_not_found",
    `The organization has no member ${userId.slice(0, 64)}. Nothing was changed.`,
  );
}

/** The condition that the member is not an owner, or not the only one. */
const notTheLastOwner = ({ tables: { members } }: SqlConnection, organizationId: string): SQL | undefined =>
  or(
    ne(members.role, "owner"),
    sql`(SELECT count(*) FROM members AS others WHERE others.organization_id = ${organizationId} AND others.role = 'owner') > 1`,
  );

/**
 * Returns why a change of a member was not made: somebody else changed them meanwhile, or they are the last
 * owner.
 */
async function refusal(
  connection: SqlConnection,
  organizationId: string,
  before: MemberObject,
): Promise<Failure> {
  const now = (await membersWhere(connection, organizationId, before.userId))[0];
  if (now?.role === "owner" && before.role === "owner") {
    return new Failure(
      409,
      "last_owner",
      `${before.email} is the organization's only owner. Make somebody else an owner first. Nothing was changed.`,
    );
  }
  return new Failure(
    409,
    "member_changed",
    `${before.email} was changed by somebody else at the same time. Look again. Nothing was changed by this.`,
  );
}

function requireOwner(c: Context<App>): void {
  if (c.var.member.role !== "owner") throw ownersOnly("Only owners decide who is an owner.");
}

const ownersOnly = (sentence: string): Failure =>
  new Failure(403, "role_not_allowed", `${sentence} Nothing was changed.`);
