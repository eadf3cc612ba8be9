import { newId } from "@acme/sdk/contract";
import {
  type AccessTokenObject,
  type CreateAccessTokenBody,
  type CreatedAccessToken,
  TOKEN_LIMITS,
  type TokenScope,
  type WhoamiResponse,
} from "@acme/sdk/contract/api";
import { and, count, desc, eq, gt, isNull, or, type SQL } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import { ACCESS_TOKEN_PREFIX, forgetAccessTokens } from "../auth/access-token.ts";
import { randomSecret } from "../auth/random-secret.ts";
import { digest } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import type { Person } from "../people/session.ts";
import { scopesOf, storedScopes } from "../people/token-scopes.ts";
import { openSql, required, type SqlConnection, type Statement } from "../storage/sql-connection.ts";
import { isoTime } from "../views/time.ts";
import { auditStatement } from "./audit.ts";

const SECRET_LENGTH = 40;
/** How many characters of the secret part remain visible later. */
const SHOWN_LENGTH = 4;
const DAY_MS = 24 * 3_600_000;
/** Expired tokens are listed too. */
const LISTED = 200;

type Organization = AccessTokenObject["organization"];
type TokenRow = SqlConnection["tables"]["accessTokens"]["$inferSelect"];

const view = (row: TokenRow, organization: Organization): AccessTokenObject => ({
  id: row.id,
  name: row.name,
  start: row.start,
  scopes: scopesOf(row.scopes),
  organization,
  createdAt: isoTime(row.createdAt),
  lastUsedAt: row.lastUsedAt === null ? null : isoTime(row.lastUsedAt),
  expiresAt: row.expiresAt === null ? null : isoTime(row.expiresAt),
});

function tokensWhere({ db, tables: { accessTokens, organizations } }: SqlConnection, where: SQL | undefined) {
  const { id, slug, name } = organizations;
  return db
    .select({ token: accessTokens, organization: { id, slug, name } })
    .from(accessTokens)
    .innerJoin(organizations, eq(id, accessTokens.organizationId))
    .where(and(isNull(accessTokens.revokedAt), where))
    .orderBy(desc(accessTokens.createdAt), desc(accessTokens.id))
    .limit(LISTED);
}

export async function listAccessTokens(c: Context<App>): Promise<AccessTokenObject[]> {
  const connection = openSql(c.env);
  const rows = await tokensWhere(connection, eq(connection.tables.accessTokens.userId, c.var.person.id));
  return rows.map(({ token, organization }) => view(token, organization));
}

export async function createAccessToken(
  c: Context<App>,
  { organization: named, name, scopes, expiresInDays }: z.output<typeof CreateAccessTokenBody>,
): Promise<CreatedAccessToken> {
  const connection = openSql(c.env);
  const organization = await ownOrganization(connection, c.var.person.id, named);
  await checkCount(connection, c.var.person.id);
  const made = newAccessToken(c, connection, c.var.person, {
    organization,
    name,
    scopes,
    days: expiresInDays,
  });
  await connection.atomically(made.statements);
  return made.token;
}

/** Returns a token, and the statements that store it and record it in the audit log, for one transaction. */
export function newAccessToken(
  c: Context<App>,
  connection: SqlConnection,
  person: Pick<Person, "id">,
  grant: { organization: Organization; name: string; scopes: readonly TokenScope[]; days: number | null },
): { token: CreatedAccessToken; statements: Statement[] } {
  const secret = randomSecret(SECRET_LENGTH);
  const token = ACCESS_TOKEN_PREFIX + secret;
  const now = Date.now();
  const row = {
    hash: digest(token),
    id: newId("pat"),
    organizationId: grant.organization.id,
    userId: person.id,
    name: grant.name,
    start: ACCESS_TOKEN_PREFIX + secret.slice(0, SHOWN_LENGTH),
    scopes: storedScopes(grant.scopes),
    createdAt: now,
    expiresAt: grant.days === null ? null : now + grant.days * DAY_MS,
    lastUsedAt: null,
    revokedAt: null,
  };
  const statements = [
    connection.db.insert(connection.tables.accessTokens).values(row),
    auditStatement(c, connection, {
      organizationId: row.organizationId,
      action: "access_token.created",
      target: { type: "access_token", id: row.id },
      details: { name: row.name, scopes: scopesOf(row.scopes) },
    }),
  ];
  return { token: { ...view(row, grant.organization), token }, statements };
}

/**
 * For the server's operator: stores a token of the organization itself that was created elsewhere. Otherwise
 * like {@link newAccessToken}.
 */
export async function adoptAccessToken(
  c: Context<App>,
  connection: SqlConnection,
  organizationId: string,
  token: string,
): Promise<void> {
  const id = newId("pat");
  const row = { hash: digest(token), id, organizationId, createdAt: Date.now() };
  await connection.atomically([
    connection.db.insert(connection.tables.accessTokens).values(row),
    auditStatement(c, connection, {
      organizationId,
      action: "access_token.created",
      target: { type: "access_token", id },
      details: { name: "access token", scopes: ["admin"] },
    }),
  ]);
}

/** Returns an organization of which the person is a member, by its slug or id. Throws a 404. */
export async function ownOrganization(
  { db, tables: { organizations, members } }: SqlConnection,
  userId: string,
  named: string,
): Promise<Organization> {
  const { id, slug, name } = organizations;
  const rows = await db
    .select({ id, slug, name })
    .from(organizations)
    .innerJoin(members, eq(members.organizationId, id))
    .where(and(eq(members.userId, userId), or(eq(slug, named), eq(id, named))))
    .limit(1);
  if (rows[0]) return rows[0];
  throw new Failure(
    404,
    "organization_not_found",
    `There is no organization "${named.slice(0, 64)}" that you are a member of. Nothing was created.`,
  );
}

/** Throws a 422 if the person has too many valid tokens. */
export async function checkCount(
  { db, tables: { accessTokens } }: SqlConnection,
  userId: string,
): Promise<void> {
  const isAccepted = or(isNull(accessTokens.expiresAt), gt(accessTokens.expiresAt, Date.now()));
  const rows = await db
    .select({ count: count() })
    .from(accessTokens)
    .where(and(eq(accessTokens.userId, userId), isNull(accessTokens.revokedAt), isAccepted));
  if ((rows[0]?.count ?? 0) < TOKEN_LIMITS.perPerson) return;
  throw new Failure(
    422,
    "too_many_access_tokens",
    `You have ${TOKEN_LIMITS.perPerson} access tokens, which is the limit. Revoke one that is not used. Nothing was created.`,
  );
}

/**
 * Revokes one of a person's tokens, or (null) one of an organization's own: it is refused everywhere within
 * 10 s.
 */
export async function revokeAccessToken(c: Context<App>, id: string, userId: string | null): Promise<void> {
  const connection = openSql(c.env);
  const { accessTokens } = connection.tables;
  const own = and(
    eq(accessTokens.id, id.slice(0, 64)),
    userId === null ? isNull(accessTokens.userId) : eq(accessTokens.userId, userId),
  );
  const found = (await tokensWhere(connection, own))[0];
  const revoked =
    found &&
    (await connection.atomically([
      required(
        connection.db
          .update(accessTokens)
          .set({ revokedAt: Date.now() })
          .where(and(own, isNull(accessTokens.revokedAt))),
      ),
      auditStatement(c, connection, {
        organizationId: found.organization.id,
        action: "access_token.revoked",
        target: { type: "access_token", id: found.token.id },
        details: { name: found.token.name },
      }),
    ]));
  if (!revoked) {
    throw new Failure(
      404,
      "access_token_not_found",
      `You have no access token ${id.slice(0, 64)}. Nothing was changed.`,
    );
  }
  forgetAccessTokens();
}

/** Describes the request's own token. */
export async function whoami(c: Context<App>): Promise<WhoamiResponse> {
  const connection = openSql(c.env);
  const { accessTokens, members } = connection.tables;
  const { id, person, organizationId } = c.var.token;
  const [found, membership] = await Promise.all([
    tokensWhere(connection, eq(accessTokens.id, id)),
    person === null
      ? []
      : connection.db
          .select({ role: members.role })
          .from(members)
          .where(and(eq(members.userId, person.id), eq(members.organizationId, organizationId))),
  ]);
  const own = found[0];
  if (!own) {
    throw new Failure(401, "invalid_access_token", "The access token was revoked. Log in with `acme login`.");
  }
  if (person !== null && !membership[0]) {
    throw new Failure(
      403,
      "not_a_member",
      `${person.email} is no longer a member of the organization "${own.organization.slug}", so this token allows nothing. Ask for an invitation, or log in for another organization.`,
    );
  }
  return { ...view(own.token, own.organization), user: person, role: membership[0]?.role ?? null };
}
