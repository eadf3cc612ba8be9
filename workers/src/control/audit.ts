import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { randomBase36 } from "@acme/sdk/contract";
import type { Context } from "hono";
import type { HeldToken } from "../auth/access-token.ts";
import type { App } from "../bindings.ts";
import { clientAddress } from "../people/client-address.ts";
import type { SqlConnection, Statement } from "../storage/sql-connection.ts";

/** An action and its target. */
export interface Deed {
  /** Null: the action concerns the server as a whole. */
  organizationId: string | null;
  /** Such as `member.role_changed`. */
  action: string;
  target: { type: string; id: string };
  /** `PROJECTREF/ENVIRONMENT`, or the project's ref. Absent: the action concerns the whole organization. */
  scope?: string;
  /** What changed, small and without secrets. */
  details?: Record<string, unknown>;
}

interface Actor {
  actorType: "user" | "key" | "access_token" | "operator";
  actorId: string | null;
  actorName: string;
}

/** Ids sort by time, so the newest entries are one index scan. */
const newAuditId = (now: number): string => `audit_${now.toString(36).padStart(9, "0")}${randomBase36(12)}`;

export type AuditRow = SqlConnection["tables"]["auditLog"]["$inferInsert"];

/** Returns the statement that records an action, for the transaction of that action. */
export const auditStatement = (c: Context<App>, { db, tables }: SqlConnection, deed: Deed): Statement =>
  db.insert(tables.auditLog).values(auditRow(c, deed));

export function auditRow(c: Context<App>, deed: Deed): AuditRow {
  const now = Date.now();
  return {
    id: newAuditId(now),
    organizationId: deed.organizationId,
    at: now,
    ...actorOf(c),
    action: deed.action,
    targetType: deed.target.type,
    targetId: deed.target.id,
    scope: deed.scope ?? null,
    details: deed.details ?? {},
    address: clientAddress(c) ?? null,
    userAgent: c.req.header("user-agent")?.slice(0, 300) ?? null,
  };
}

/** Returns an action on something in one environment. */
export const deedIn = (environment: EnvironmentRef, deed: Omit<Deed, "organizationId" | "scope">): Deed => ({
  organizationId: environment.organization.id,
  scope: `${environment.project.ref}/${environment.slug}`,
  ...deed,
});

/** Returns who makes a request, as recorded in the audit log and in changed rows. */
export function actorOf(c: Context<App>): Actor {
  const { person, token, credential } = c.var as Partial<typeof c.var>;
  const held = token ?? (credential?.type === "accessToken" ? credential.token : undefined);
  if (held) return { actorType: "access_token", actorId: held.id, actorName: tokenName(held) };
  const signedIn = person ?? (credential?.type === "session" ? credential.session.user : undefined);
  if (signedIn) return { actorType: "user", actorId: signedIn.id, actorName: signedIn.email };
  switch (credential?.type) {
    case "secretKey":
      return { actorType: "key", actorId: null, actorName: "secret key" };
    case "run":
      return { actorType: "key", actorId: null, actorName: "token of a run" };
    case "public":
      return { actorType: "key", actorId: null, actorName: "public token" };
    default:
      return { actorType: "operator", actorId: null, actorName: "operator" };
  }
}

const tokenName = ({ person, name }: HeldToken): string =>
  person ? `${person.email} (access token "${name}")` : name;
