import type { SessionObject } from "@acme/sdk/contract/api";
import { and, desc, eq, gt, ne } from "drizzle-orm";
import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openSql } from "../storage/sql-connection.ts";
import { forgetSessions } from "./session.ts";

/** Lists the person's own sessions, newest first. */
export async function listSessions(c: Context<App>): Promise<SessionObject[]> {
  const { db, tables } = openSql(c.env);
  const { sessions } = tables;
  const { id, user } = c.var.session;
  const rows = await db
    .select()
    .from(sessions)
    .where(and(eq(sessions.userId, user.id), gt(sessions.expiresAt, new Date())))
    .orderBy(desc(sessions.createdAt))
    .limit(100);
  return rows.map((row) => ({
    id: row.id,
    current: row.id === id,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    address: row.ipAddress,
    userAgent: row.userAgent,
  }));
}

/** Revokes a session; its device is signed out everywhere within 10 s. */
export async function revokeSession(c: Context<App>, id: string): Promise<{ revoked: number }> {
  const connection = openSql(c.env);
  const { sessions } = connection.tables;
  const revoked = await connection.atomically([
    connection.db
      .delete(sessions)
      .where(and(eq(sessions.id, id.slice(0, 64)), eq(sessions.userId, c.var.session.user.id))),
  ]);
  if (revoked?.[0] !== 1) {
    throw new Failure(
      404,
      "session_not_found",
      `You have no session ${id.slice(0, 64)}. Nothing was changed.`,
    );
  }
  forgetSessions();
  return { revoked: 1 };
}

/** Revokes all other sessions. */
export async function revokeOtherSessions(c: Context<App>): Promise<{ revoked: number }> {
  const connection = openSql(c.env);
  const { sessions } = connection.tables;
  const { id, user } = c.var.session;
  const revoked = await connection.atomically([
    connection.db.delete(sessions).where(and(eq(sessions.userId, user.id), ne(sessions.id, id))),
  ]);
  forgetSessions();
  return { revoked: revoked?.[0] ?? 0 };
}
