import { and, eq } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { openSql } from "../storage/sql-connection.ts";
import { membershipOf } from "./membership.ts";

/**
 * Whether a session that opened a connection is still one, and its person still a member of the environment's
 * organization. Without the cookie: for connections that were opened with it.
 */
export async function isMemberBySession(
  env: Bindings,
  sessionId: string,
  userId: string,
  environmentId: string,
): Promise<boolean> {
  const { db, tables } = openSql(env);
  const { sessions } = tables;
  const [session] = await db
    .select({ expiresAt: sessions.expiresAt })
    .from(sessions)
    .where(and(eq(sessions.id, sessionId), eq(sessions.userId, userId)));
  if (!session || session.expiresAt.getTime() < Date.now()) return false;
  return (await membershipOf(() => openSql(env), userId, environmentId)) !== null;
}
