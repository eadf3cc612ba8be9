import { and, eq, exists, inArray, ne, or, type SQL, sql } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { mailDelivery } from "../mail/mailer.ts";
import { required, type SqlConnection, type Statement } from "../storage/sql-connection.ts";
import { providersOf } from "./providers.ts";

/** One of a person's ways to sign in. */
export type WayIn = { kind: "account" | "passkey"; id: string };

/**
 * Removes one of a person's ways to sign in, unless it is the last. If the server sends mails, a mailed link
 * counts too. Throws a 409 for the last one; `remove` gets the condition under which it may be removed.
 * Returns false if there is no such way.
 */
export async function removeWayIn(
  env: Bindings,
  connection: SqlConnection,
  userId: string,
  way: WayIn,
  remove: (condition: SQL | undefined) => Statement,
): Promise<boolean> {
  const { db, tables } = connection;
  const table = way.kind === "account" ? tables.accounts : tables.passkeys;
  const rows = await db
    .select({ id: table.id })
    .from(table)
    .where(and(eq(table.id, way.id), eq(table.userId, userId)));
  if (!rows[0]) return false;
  const removed = await connection.atomically([
    // Two concurrent removals are executed one after the other.
    required(
      db
        .update(tables.users)
        .set({ name: sql`${tables.users.name}` })
        .where(eq(tables.users.id, userId)),
    ),
    required(remove(otherWayIn(env, connection, userId, way))),
  ]);
  if (removed) return true;
  throw new Failure(
    409,
    "last_way_in",
    "It is your only way to sign in here: this server sends no links by mail. Add a passkey or link another provider first. Nothing was changed.",
  );
}

/** Undefined: there is always another way. A provider without configured credentials does not count. */
function otherWayIn(
  env: Bindings,
  { db, tables: { accounts, passkeys } }: SqlConnection,
  userId: string,
  { kind, id }: WayIn,
): SQL | undefined {
  if (mailDelivery(env) !== "none") return undefined;
  const providers = providersOf(env).map(({ providerId }) => providerId);
  const account = and(
    eq(accounts.userId, userId),
    providers.length > 0 ? inArray(accounts.providerId, providers) : sql`1 = 0`,
    kind === "account" ? ne(accounts.id, id) : undefined,
  );
  const passkey = and(eq(passkeys.userId, userId), kind === "passkey" ? ne(passkeys.id, id) : undefined);
  return or(
    exists(db.select({ id: accounts.id }).from(accounts).where(account)),
    exists(db.select({ id: passkeys.id }).from(passkeys).where(passkey)),
  );
}
