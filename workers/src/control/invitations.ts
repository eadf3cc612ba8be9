import { log } from "@acme/durable-objects/lib/log";
import { newId, randomBase36 } from "@acme/sdk/contract";
import type {
  AcceptInvitationResponse,
  CreateInvitationBody,
  CreateInvitationResponse,
  InvitationObject,
  InvitationSummary,
} from "@acme/sdk/contract/api";
import { and, count, desc, eq, gt, isNull, sql } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import { digest } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { baseUrl } from "../http/links.ts";
import { mayMail } from "../mail/limit.ts";
import { MailError } from "../mail/mail.ts";
import { mailerOf } from "../mail/mailer.ts";
import { forgetMemberships } from "../people/membership.ts";
import { openSql, required, type SqlConnection } from "../storage/sql-connection.ts";
import { auditStatement } from "./audit.ts";
import { forgetOrganizations } from "./authenticate-organization.ts";

const LIFETIME_MS = 7 * 24 * 3_600_000;
/** The maximum number of open invitations of one organization. */
const OPEN = 200;

type Row = Awaited<ReturnType<typeof openInvitations>>[number];

/** Lists invitations that can still be accepted, newest first. */
export async function listInvitations(c: Context<App>): Promise<InvitationObject[]> {
  const rows = await openInvitations(openSql(c.env), c.var.member.organization.id);
  return rows.map(invitationObject);
}

function openInvitations({ db, tables: { invitations } }: SqlConnection, organizationId: string) {
  return db
    .select()
    .from(invitations)
    .where(and(eq(invitations.organizationId, organizationId), ...isOpen(invitations)))
    .orderBy(desc(invitations.createdAt), desc(invitations.id));
}

const isOpen = (invitations: SqlConnection["tables"]["invitations"]) => [
  isNull(invitations.acceptedAt),
  isNull(invitations.revokedAt),
  gt(invitations.expiresAt, Date.now()),
];

/**
 * Creates an invitation, which replaces an earlier one of the same person. Its link is returned, and mailed
 * if possible.
 */
export async function createInvitation(
  c: Context<App>,
  { email, role }: z.output<typeof CreateInvitationBody>,
): Promise<CreateInvitationResponse> {
  const connection = openSql(c.env);
  const { db, tables, atomically } = connection;
  const { invitations, members, users } = tables;
  const { organization, role: own } = c.var.member;
  if (role === "owner" && own !== "owner") {
    throw new Failure(403, "role_not_allowed", "Only owners invite owners. Nothing was created.");
  }
  const [there, open] = await Promise.all([
    db
      .select({ id: users.id })
      .from(members)
      .innerJoin(users, eq(users.id, members.userId))
      .where(and(eq(members.organizationId, organization.id), eq(users.email, email))),
    db
      .select({ count: count() })
      .from(invitations)
      .where(and(eq(invitations.organizationId, organization.id), ...isOpen(invitations))),
  ]);
  if (there.length > 0) {
    throw new Failure(409, "already_member", `${email} is already a member. Nothing was created.`);
  }
  if ((open[0]?.count ?? 0) >= OPEN) {
    throw new Failure(
      409,
      "too_many_invitations",
      `${OPEN} invitations are waiting to be accepted, which is the limit. Revoke some. Nothing was created.`,
    );
  }
  const now = Date.now();
  const token = randomBase36(40);
  const row = {
    id: newId("invitation"),
    organizationId: organization.id,
    email,
    role,
    tokenHash: digest(token),
    invitedBy: c.var.person.email,
    createdAt: now,
    expiresAt: now + LIFETIME_MS,
  };
  await atomically([
    db
      .update(invitations)
      .set({ revokedAt: now })
      .where(
        and(
          eq(invitations.organizationId, organization.id),
          eq(invitations.email, email),
          ...isOpen(invitations),
        ),
      ),
    db.insert(invitations).values(row),
    auditStatement(c, connection, {
      organizationId: organization.id,
      action: "invitation.created",
      target: { type: "invitation", id: row.id },
      details: { email, role },
    }),
  ]);
  const url = `${baseUrl(c)}/invite/${token}`;
  const mailProblem = await mailInvitation(c, email, organization.name, url);
  return {
    ...invitationObject({ ...row, acceptedAt: null, acceptedBy: null, revokedAt: null }),
    url,
    mailed: mailProblem === null,
    mailProblem,
  };
}

/**
 * Returns why the link could not be mailed; null if it was. The response contains the link too, so a failure
 * does not undo the invitation.
 */
async function mailInvitation(
  c: Context<App>,
  to: string,
  organization: string,
  url: string,
): Promise<string | null> {
  try {
    const send = mailerOf(c.env);
    if (!(await mayMail(c.env, to))) return `${to} was sent enough mails for now.`;
    await send({
      to,
      subject: `Join ${organization} on Acme`,
      text: `${c.var.person.email} invites you to ${organization} on Acme. Accept within a week:\n\n${url}`,
    });
    return null;
  } catch (error) {
    if (error instanceof Failure) return error.message;
    log.error("An invitation was not mailed", { error });
    return error instanceof MailError ? error.message : "The mail could not be sent.";
  }
}

export async function revokeInvitation(c: Context<App>, id: string): Promise<InvitationObject> {
  const connection = openSql(c.env);
  const { db, tables, atomically } = connection;
  const { invitations } = tables;
  const organizationId = c.var.member.organization.id;
  const where = and(
    eq(invitations.organizationId, organizationId),
    eq(invitations.id, id.slice(0, 64)),
    ...isOpen(invitations),
  );
  const row = (await db.select().from(invitations).where(where))[0];
  const revoked =
    row &&
    (await atomically([
      required(db.update(invitations).set({ revokedAt: Date.now() }).where(where)),
      auditStatement(c, connection, {
        organizationId,
        action: "invitation.revoked",
        target: { type: "invitation", id },
        details: { email: row.email },
      }),
    ]));
  if (!row || !revoked) {
    throw new Failure(
      404,
      "invitation_not_found",
      `There is no invitation ${id.slice(0, 64)} that could still be accepted. Nothing was changed.`,
    );
  }
  return invitationObject(row);
}

/** Returns what a link invites to. Anybody who has the link may request this. */
export async function invitationSummary(c: Context<App>, token: string): Promise<InvitationSummary> {
  const { invitation, organization } = await openInvitation(openSql(c.env), token);
  const { email, role, expiresAt } = invitation;
  const { slug, name } = organization;
  return { organization: { slug, name }, email, role, expiresAt: new Date(expiresAt).toISOString() };
}

/**
 * Makes the invited person a member, in one transaction, so that a link used twice at once creates one
 * membership.
 */
export async function acceptInvitation(
  c: Context<App>,
  token: string,
): Promise<z.output<typeof AcceptInvitationResponse>> {
  const connection = openSql(c.env);
  const { db, tables, atomically } = connection;
  const { invitations, members } = tables;
  const { person: user } = c.var;
  const { invitation, organization } = await openInvitation(connection, token);
  if (invitation.email !== user.email) {
    throw new Failure(
      403,
      "invitation_of_another_person",
      `The invitation is for ${invitation.email}, and you are signed in as ${user.email}. Sign in as the other, or ask for an invitation of this address. Nothing was changed.`,
    );
  }
  const now = Date.now();
  const accepted = await atomically([
    required(
      db
        .update(invitations)
        .set({ acceptedAt: now, acceptedBy: user.id })
        .where(and(eq(invitations.id, invitation.id), ...isOpen(invitations))),
    ),
    db
      .insert(members)
      .values({ organizationId: organization.id, userId: user.id, role: invitation.role, createdAt: now })
      .onConflictDoUpdate({
        target: [members.organizationId, members.userId],
        // A person who is a member already keeps their role.
        set: { role: sql`${members.role}` },
      }),
    auditStatement(c, connection, {
      organizationId: organization.id,
      action: "invitation.accepted",
      target: { type: "member", id: user.id },
      details: { email: user.email, role: invitation.role, invitation: invitation.id },
    }),
  ]);
  if (!accepted) throw invitationGone();
  forgetMemberships();
  forgetOrganizations();
  const { id, slug, name } = organization;
  return { organization: { id, slug, name }, role: invitation.role };
}

async function openInvitation({ db, tables: { invitations, organizations } }: SqlConnection, token: string) {
  const rows = await db
    .select({ invitation: invitations, organization: organizations })
    .from(invitations)
    .innerJoin(organizations, eq(organizations.id, invitations.organizationId))
    .where(and(eq(invitations.tokenHash, digest(token)), ...isOpen(invitations)));
  const row = rows[0];
  if (!row) throw invitationGone();
  return row;
}

const invitationGone = (): Failure =>
  new Failure(
    404,
    "invitation_not_found",
    "This invitation was accepted, revoked or has expired, or the link is not complete. Ask for a new one.",
  );

const invitationObject = (row: Row): InvitationObject => ({
  id: row.id,
  email: row.email,
  role: row.role,
  invitedBy: row.invitedBy,
  createdAt: new Date(row.createdAt).toISOString(),
  expiresAt: new Date(row.expiresAt).toISOString(),
});
