import { newId } from "@acme/sdk/contract";
import type { CreateSignInLinkBody, CreateSignInLinkResponse } from "@acme/sdk/contract/api";
import { eq, sql } from "drizzle-orm";
import type { z } from "zod";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { makeAuth } from "./make-auth.ts";

/**
 * Creates a link that signs a person in once, for the server's operator. It creates the person if nobody has
 * this address, and adds the person to the named organization. A repeated call only creates another link.
 */
export async function createSignInLink(
  env: Bindings,
  connection: SqlConnection,
  origin: string,
  request: z.output<typeof CreateSignInLinkBody>,
): Promise<CreateSignInLinkResponse> {
  const { db, tables } = connection;
  const { users } = tables;
  await makeMember(connection, request);
  const user = (await db.select().from(users).where(eq(users.email, request.email)))[0];
  if (!user) throw new Error("The person that was just created does not exist");
  const expiresAt = new Date(Date.now() + request.expiresIn * 1000);
  let url = "";
  const auth = makeAuth(env, connection, {
    origin,
    linkSeconds: request.expiresIn,
    sendLink: async (link) => {
      url = link.url;
    },
  });
  await auth.api.signInMagicLink({
    body: { email: request.email, callbackURL: "/", errorCallbackURL: "/sign-in" },
    headers: new Headers({ origin }),
  });
  const { id, email, name, image } = user;
  return {
    url,
    expiresAt: expiresAt.toISOString(),
    user: { id, email, name, image },
    hasSignedIn: user.emailVerified,
  };
}

/** Creates the person, and a membership if requested, in one transaction. Existing rows are not changed. */
async function makeMember(
  { db, tables, atomically }: SqlConnection,
  { email, name, organization: slug, role }: z.output<typeof CreateSignInLinkBody>,
): Promise<void> {
  const { users, members, organizations } = tables;
  const organization = slug
    ? (await db.select().from(organizations).where(eq(organizations.slug, slug)))[0]
    : undefined;
  if (slug && !organization) {
    throw new Failure(
      404,
      "organization_not_found",
      `There is no organization "${slug}". Nothing was changed.`,
    );
  }
  const now = Date.now();
  const person = db
    .insert(users)
    .values({
      id: newId("user"),
      name: name ?? email.slice(0, email.indexOf("@")),
      email,
      emailVerified: false,
      createdAt: new Date(now),
      updatedAt: new Date(now),
    })
    .onConflictDoNothing({ target: users.email });
  if (!organization) {
    await atomically([person]);
    return;
  }
  const member = db
    .insert(members)
    .select(
      db
        .select({
          organizationId: sql<string>`${organization.id}`.as("organization_id"),
          userId: users.id,
          role: sql<typeof role>`${role}`.as("role"),
          createdAt: sql<number>`CAST(${now} AS BIGINT)`.as("created_at"),
        })
        .from(users)
        .where(eq(users.email, email)),
    )
    .onConflictDoNothing({ target: [members.organizationId, members.userId] });
  await atomically([person, member]);
}
