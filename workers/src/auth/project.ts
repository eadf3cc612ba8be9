import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { environmentsOfProject, membershipsOfProject } from "../people/membership.ts";
import { requireRole } from "../people/roles.ts";
import { authenticateSession, hasSessionCookie } from "../people/session.ts";
import { openSql } from "../storage/sql-connection.ts";
import type { OperationId } from "./access.ts";
import { authenticateAccessToken } from "./credentials.ts";

/**
 * The environments of a project, archived branches too, that a signed-in member of its organization or the owner of an
 * access token may see. Throws a 401, 403, 404 or 429.
 */
export async function authenticateWholeProject(
  c: Context<App>,
  operation: OperationId,
  ref: string,
): Promise<EnvironmentRef[]> {
  const found = hasSessionCookie(c) ? await bySession(c, operation, ref) : await byAccessToken(c, ref);
  if (found.length > 0) return found;
  throw new Failure(
    404,
    "project_not_found",
    `There is no project "${ref.slice(0, 64)}" that you may see. Nothing was changed.`,
  );
}

async function bySession(c: Context<App>, operation: OperationId, ref: string): Promise<EnvironmentRef[]> {
  const session = await authenticateSession(c);
  const memberships = await membershipsOfProject(() => openSql(c.env), session.user.id, ref);
  const role = memberships[0]?.role;
  if (role !== undefined) requireRole(role, operation);
  return memberships.map(({ environment }) => environment);
}

async function byAccessToken(c: Context<App>, ref: string): Promise<EnvironmentRef[]> {
  const { organizationId } = await authenticateAccessToken(c);
  return environmentsOfProject(() => openSql(c.env), organizationId, ref);
}
