import { LEAST_ROLE, mayAs } from "@acme/sdk/contract/api";
import { and, eq } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { openSql } from "../storage/sql-connection.ts";
import { membershipNow } from "./membership.ts";
import type { OfEnvironment } from "./require-role.ts";

/**
 * Whether a session that opened a connection by an operation is still one, and its person still a member of the environment's
 * organization who may do that. Without the cookie: for connections that were opened with it.
 */
export async function isMemberBySession(
  env: Bindings,
  sessionId: string,
  userId: string,
  environmentId: string,
  operation: OfEnvironment,
): Promise<boolean> {
  const connection = openSql(env);
  const { db, tables } = connection;
  const { sessions } = tables;
  const [session] = await db
    .select({ expiresAt: sessions.expiresAt })
    .from(sessions)
    .where(and(eq(sessions.id, sessionId), eq(sessions.userId, userId)));
  if (!session || session.expiresAt.getTime() < Date.now()) return false;
  const found = await membershipNow(connection, userId, environmentId);
  return found !== null && mayAs(found.role, LEAST_ROLE[operation]);
}
