import { ENVIRONMENT_HEADER } from "@acme/sdk/contract/api";
import type { Context } from "hono";
import type { OperationId } from "../auth/access.ts";
import type { Authenticated } from "../auth/credentials.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openSql } from "../storage/sql-connection.ts";
import { type Membership, membershipByName, membershipByPath, requireInUse } from "./membership.ts";
import { requireRole } from "./require-role.ts";
import { authenticateSession } from "./session.ts";

/**
 * Finds the environment that a signed-in person names by id or as `PROJECTREF/SLUG` in a header (for a
 * WebSocket or a download: `?environment=`), if they are a member of its organization with a role that allows
 * the operation. Throws a 400, 401, 403, 404 or 429.
 */
export async function authenticateMember(c: Context<App>, operation: OperationId): Promise<Authenticated> {
  const session = await authenticateSession(c);
  const byQuery = c.req.method === "GET" ? c.req.query("environment") : undefined;
  const named = (c.req.header(ENVIRONMENT_HEADER) ?? byQuery)?.slice(0, 256);
  if (!named) {
    throw new Failure(
      400,
      "environment_missing",
      `Name the environment: its id (env_…) in the header ${ENVIRONMENT_HEADER}, or in ?environment= of a WebSocket's address. Nothing was changed.`,
    );
  }
  const membership = await membershipByName(() => openSql(c.env), session.user.id, named);
  if (!membership) throw environmentNotFound(named.slice(0, 128));
  return authenticated(c, session, membership, operation);
}

/** Does the same for routes whose path names the project and the environment. */
export async function authenticateProjectMember(
  c: Context<App>,
  operation: OperationId,
  projectRef: string,
  slug: string,
): Promise<Authenticated> {
  const session = await authenticateSession(c);
  const membership = await membershipByPath(() => openSql(c.env), session.user.id, projectRef, slug);
  if (!membership) throw environmentNotFound(`${projectRef}/${slug}`);
  return authenticated(c, session, membership, operation);
}

function authenticated(
  c: Context<App>,
  session: Awaited<ReturnType<typeof authenticateSession>>,
  membership: Membership,
  operation: OperationId,
): Authenticated {
  const { role, environment } = membership;
  requireRole(role, operation);
  requireInUse(c.req.method, membership);
  return { environment, credential: { type: "session", session, role } };
}

const environmentNotFound = (name: string): Failure =>
  new Failure(
    404,
    "environment_not_found",
    `There is no environment "${name}" in an organization that you are a member of. Nothing was changed.`,
  );
