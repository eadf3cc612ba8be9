import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { environmentsOfProject, membershipsOfProject } from "../people/membership.ts";
import { requireRole } from "../people/require-role.ts";
import { authenticateSession, hasSessionCookie } from "../people/session.ts";
import { openSql } from "../storage/sql-connection.ts";
import type { OperationId } from "./access.ts";
import { authenticateScopedToken } from "./access-token.ts";

/**
 * Returns the environments of a project, including archived branches, for a signed-in member of its
 * organization or the owner of an access token. Throws a 401, 403, 404 or 429.
 */
export async function authenticateWholeProject(
  c: Context<App>,
  operation: OperationId,
  ref: string,
): Promise<EnvironmentRef[]> {
  const found = hasSessionCookie(c)
    ? await ofPerson(c, operation, ref, (await authenticateSession(c)).user.id)
    : await byAccessToken(c, operation, ref);
  if (found.length > 0) return found;
  throw new Failure(
    404,
    "project_not_found",
    `There is no project "${ref.slice(0, 64)}" that you may see. Nothing was changed.`,
  );
}

async function ofPerson(
  c: Context<App>,
  operation: OperationId,
  ref: string,
  userId: string,
  organizationId?: string,
): Promise<EnvironmentRef[]> {
  const memberships = await membershipsOfProject(() => openSql(c.env), userId, ref);
  const first = memberships[0];
  if (organizationId !== undefined && first?.environment.organization.id !== organizationId) return [];
  if (first) requireRole(first.role, operation);
  return memberships.map(({ environment }) => environment);
}

async function byAccessToken(
  c: Context<App>,
  operation: OperationId,
  ref: string,
): Promise<EnvironmentRef[]> {
  const { person, organizationId } = await authenticateScopedToken(c, operation);
  if (person) return ofPerson(c, operation, ref, person.id, organizationId);
  return environmentsOfProject(() => openSql(c.env), organizationId, ref);
}
