import { newId, randomBase36 } from "@acme/sdk/contract";
import type { CreateOrganizationBody, OrganizationObject, Role } from "@acme/sdk/contract/api";
import { and, count, eq, isNull } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { isUniqueViolation, openSql, type SqlConnection, type Statement } from "../storage/sql-connection.ts";
import { auditStatement } from "./audit.ts";

/** The maximum number of organizations that one person may own. */
const OWNED = 20;

/**
 * Returns an organization, and the statements that store it and record it in the audit log, for one
 * transaction.
 */
export function newOrganization(
  c: Context<App>,
  connection: SqlConnection,
  { slug, name }: { slug: string; name: string },
): { id: string; createdAt: number; statements: Statement[] } {
  const id = newId("org");
  const createdAt = Date.now();
  const statements = [
    connection.db.insert(connection.tables.organizations).values({ id, slug, name, createdAt }),
    auditStatement(c, connection, {
      organizationId: id,
      action: "organization.created",
      target: { type: "organization", id },
      details: { name, slug },
    }),
  ];
  return { id, createdAt, statements };
}

/** Creates an organization and its first owner in one transaction. */
export async function createOrganization(
  c: Context<App>,
  { name, slug = slugOf(name) }: z.output<typeof CreateOrganizationBody>,
): Promise<OrganizationObject> {
  const connection = openSql(c.env);
  const { db, tables, atomically } = connection;
  const userId = c.var.person.id;
  const owned = await db
    .select({ count: count() })
    .from(tables.members)
    .where(and(eq(tables.members.userId, userId), eq(tables.members.role, "owner")));
  if ((owned[0]?.count ?? 0) >= OWNED) {
    throw new Failure(
      403,
      "too_many_organizations",
      `You own ${OWNED} organizations already, which is as many as one person may. Nothing was created.`,
    );
  }
  const { id, createdAt, statements } = newOrganization(c, connection, { slug, name });
  try {
    await atomically([
      ...statements,
      db.insert(tables.members).values({ organizationId: id, userId, role: "owner", createdAt }),
    ]);
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Failure(
      409,
      "slug_taken",
      `The slug "${slug}" is taken. Choose another one. Nothing was created.`,
    );
  }
  return organizationObject(c, id, "owner");
}

const slugOf = (name: string): string => {
  const plain = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return `${plain || "org"}-${randomBase36(5)}`;
};

export async function renameOrganization(c: Context<App>, name: string): Promise<OrganizationObject> {
  const connection = openSql(c.env);
  const { organizations } = connection.tables;
  const { id, name: before } = c.var.member.organization;
  await connection.atomically([
    connection.db.update(organizations).set({ name }).where(eq(organizations.id, id)),
    auditStatement(c, connection, {
      organizationId: id,
      action: "organization.renamed",
      target: { type: "organization", id },
      details: { from: before, to: name },
    }),
  ]);
  return organizationObject(c, id, c.var.member.role);
}

export async function organizationObject(
  c: Context<App>,
  id: string,
  role: Role,
): Promise<OrganizationObject> {
  const { db, tables } = openSql(c.env);
  const { organizations, members, projects } = tables;
  const [rows, people, theirs] = await Promise.all([
    db.select().from(organizations).where(eq(organizations.id, id)),
    db.select({ count: count() }).from(members).where(eq(members.organizationId, id)),
    db
      .select({ count: count() })
      .from(projects)
      .where(and(eq(projects.organizationId, id), isNull(projects.deletedAt))),
  ]);
  const row = rows[0];
  if (!row) throw new Failure(404, "organization_not_found", "The organization no longer exists.");
  return {
    id,
    slug: row.slug,
    name: row.name,
    role,
    createdAt: new Date(row.createdAt).toISOString(),
    members: people[0]?.count ?? 0,
    projects: theirs[0]?.count ?? 0,
    concurrencyCeiling: row.concurrencyCeiling,
  };
}
