import type { PasskeyObject } from "@acme/sdk/contract/api";
import { getAuthenticatorName } from "@better-auth/passkey";
import { and, asc, eq } from "drizzle-orm";
import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openSql, type SqlConnection } from "../storage/sql-connection.ts";
import { removeWayIn } from "./ways-in.ts";

type Row = SqlConnection["tables"]["passkeys"]["$inferSelect"];

/** Lists the person's own passkeys, oldest first. */
export async function listPasskeys(c: Context<App>): Promise<PasskeyObject[]> {
  const { db, tables } = openSql(c.env);
  const { passkeys } = tables;
  const rows = await db
    .select()
    .from(passkeys)
    .where(eq(passkeys.userId, c.var.session.user.id))
    .orderBy(asc(passkeys.createdAt), asc(passkeys.id));
  return rows.map(passkeyObject);
}

export async function renamePasskey(c: Context<App>, id: string, name: string): Promise<PasskeyObject> {
  const { db, tables } = openSql(c.env);
  const { passkeys } = tables;
  const [row] = await db
    .update(passkeys)
    .set({ name })
    .where(ofPerson(c, passkeys, id))
    .returning();
  if (!row) throw passkeyNotFound(id);
  return passkeyObject(row);
}

/** Removes a passkey, unless it is the person's last way to sign in. Existing sessions continue. */
export async function deletePasskey(c: Context<App>, id: string): Promise<PasskeyObject> {
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const { passkeys } = tables;
  const named = ofPerson(c, passkeys, id);
  const row = (await db.select().from(passkeys).where(named))[0];
  const way = { kind: "passkey", id: row?.id ?? "" } as const;
  const removed =
    row &&
    (await removeWayIn(c.env, connection, c.var.session.user.id, way, (condition) =>
      db.delete(passkeys).where(and(named, condition)),
    ));
  if (!removed) throw passkeyNotFound(id);
  return passkeyObject(row);
}

const ofPerson = (c: Context<App>, passkeys: SqlConnection["tables"]["passkeys"], id: string) =>
  and(eq(passkeys.id, id.slice(0, 64)), eq(passkeys.userId, c.var.session.user.id));

const passkeyNotFound = (id: string): Failure =>
  new Failure(404, "passkey_not_found", `You have no passkey ${id.slice(0, 64)}. Nothing was changed.`);

/** A passkey without a name gets the name of its authenticator. */
const passkeyObject = (row: Row): PasskeyObject => ({
  id: row.id,
  name: row.name || getAuthenticatorName(row.aaguid) || "Passkey",
  createdAt: row.createdAt?.toISOString() ?? null,
  lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
  synced: row.backedUp,
});
