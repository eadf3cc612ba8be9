import { LinkedAccount, SIGN_IN_PROVIDERS } from "@acme/sdk/contract/api";
import { and, asc, eq, inArray } from "drizzle-orm";
import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openSql, type SqlConnection } from "../storage/sql-connection.ts";
import { removeWayIn } from "./ways-in.ts";

type Row = SqlConnection["tables"]["accounts"]["$inferSelect"];

const own = (c: Context<App>, accounts: SqlConnection["tables"]["accounts"]) =>
  and(eq(accounts.userId, c.var.session.user.id), inArray(accounts.providerId, [...SIGN_IN_PROVIDERS]));

/** Lists a person's accounts at other providers, oldest first. */
export async function listLinkedAccounts(c: Context<App>): Promise<LinkedAccount[]> {
  const { db, tables } = openSql(c.env);
  const { accounts } = tables;
  const rows = await db
    .select()
    .from(accounts)
    .where(own(c, accounts))
    .orderBy(asc(accounts.createdAt), asc(accounts.id));
  return rows.map(linkedAccount);
}

/** Unlinks an account, so that it no longer signs anybody in. Existing sessions continue. */
export async function unlinkAccount(c: Context<App>, id: string): Promise<LinkedAccount> {
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const { accounts } = tables;
  const named = and(eq(accounts.id, id.slice(0, 64)), own(c, accounts));
  const row = (await db.select().from(accounts).where(named))[0];
  const way = { kind: "account", id: row?.id ?? "" } as const;
  const removed =
    row &&
    (await removeWayIn(c.env, connection, c.var.session.user.id, way, (condition) =>
      db.delete(accounts).where(and(named, condition)),
    ));
  if (!removed) {
    throw new Failure(
      404,
      "linked_account_not_found",
      `You have no linked account ${id.slice(0, 64)}. Nothing was changed.`,
    );
  }
  return linkedAccount(row);
}

const linkedAccount = ({ id, providerId, createdAt }: Row): LinkedAccount =>
  LinkedAccount.parse({ id, provider: providerId, linkedAt: createdAt.toISOString() });
