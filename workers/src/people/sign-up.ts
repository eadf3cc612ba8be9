import { and, eq, gt, isNull } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";

/** Returns whether a person with this address may sign up: the server is open, or the person was invited. */
export async function maySignUp(
  env: Bindings,
  { db, tables: { invitations } }: SqlConnection,
  email: string,
): Promise<boolean> {
  if (env.SIGN_UP === "open") return true;
  const open = await db
    .select({ id: invitations.id })
    .from(invitations)
    .where(
      and(
        eq(invitations.email, email.toLowerCase()),
        isNull(invitations.acceptedAt),
        isNull(invitations.revokedAt),
        gt(invitations.expiresAt, Date.now()),
      ),
    )
    .limit(1);
  return open.length > 0;
}
