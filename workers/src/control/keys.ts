import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { ApiKeyBody, CreatedApiKey } from "@acme/sdk/contract/api";
import { and, desc, eq, gt, isNull, like, or } from "drizzle-orm";
import type { Context } from "hono";
import { digest } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openSql, required, type SqlConnection } from "../storage/sql-connection.ts";
import { isoTime } from "../views/time.ts";
import { auditStatement } from "./audit.ts";

const ID_LENGTH = 16;
/** The maximum number of valid keys of one environment. */
const MAX_KEYS = 100;
const LISTED = 200;

/** In a key, by the environment's type: the published client then asks the server for public tokens. */
const KEY_NAMES = { DEVELOPMENT: "dev", STAGING: "stg", PREVIEW: "preview", PRODUCTION: "prod" } as const;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_LENGTH = 24;

/** `tr_prod_sk_` and 24 random letters and digits. */
export function newSecretKey(type: EnvironmentRef["type"]): string {
  let secret = "";
  while (secret.length < SECRET_LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(SECRET_LENGTH * 2))) {
      // 248 is the largest multiple of 62 in a byte: what lies above would skew the distribution.
      if (byte < 248 && secret.length < SECRET_LENGTH) secret += ALPHABET[byte % ALPHABET.length];
    }
  }
  return `tr_${KEY_NAMES[type]}_sk_${secret}`;
}

interface KeyRow {
  hash: string;
  createdAt: number;
  revokedAt: number | null;
}

const view = ({ createdAt, hash, revokedAt }: KeyRow): ApiKeyBody => ({
  id: hash.slice(0, ID_LENGTH),
  createdAt: isoTime(createdAt),
  revokedAt: revokedAt === null ? undefined : isoTime(revokedAt),
});

const accepted = ({ tables: { apiKeys } }: SqlConnection, now: number) =>
  or(isNull(apiKeys.revokedAt), gt(apiKeys.revokedAt, now));

export async function listKeys(c: Context<App>): Promise<ApiKeyBody[]> {
  const { db, tables } = openSql(c.env);
  const { apiKeys } = tables;
  const rows = await db
    .select()
    .from(apiKeys)
    .where(eq(apiKeys.environmentKey, c.var.environment.key))
    .orderBy(desc(apiKeys.createdAt), desc(apiKeys.hash))
    .limit(LISTED);
  return rows.map(view);
}

/** Adds a key beside those that there are. Throws a 422 where there are too many. */
export async function createKey(c: Context<App>): Promise<CreatedApiKey> {
  const connection = openSql(c.env);
  const { apiKeys } = connection.tables;
  const now = Date.now();
  const { key: environmentKey, type } = c.var.environment;
  const own = and(eq(apiKeys.environmentKey, environmentKey), accepted(connection, now));
  if ((await connection.db.select().from(apiKeys).where(own).limit(MAX_KEYS)).length === MAX_KEYS) {
    throw new Failure(
      422,
      "too_many_keys",
      `The environment has ${MAX_KEYS} keys, which is the limit. Revoke one that is not used. Nothing was created.`,
    );
  }
  const key = newSecretKey(type);
  const row = { hash: digest(key), environmentKey, createdAt: now };
  await connection.atomically([
    connection.db.insert(apiKeys).values(row),
    auditStatement(c, connection, deed(c, "key.created", row.hash)),
  ]);
  return { ...view({ ...row, revokedAt: null }), key };
}

/** Adds a key in place of another one, which is accepted for the overlap. Throws a 404. */
export async function rotateKey(c: Context<App>, id: string, overlapMs: number): Promise<CreatedApiKey> {
  const connection = openSql(c.env);
  const { apiKeys } = connection.tables;
  const now = Date.now();
  const { key: environmentKey, type } = c.var.environment;
  const key = newSecretKey(type);
  const row = { hash: digest(key), environmentKey, createdAt: now };
  // One transaction: a server that dies leaves either the former key alone or both.
  const done = await connection.atomically([
    required(endStatement(c, connection, id, now, now + overlapMs)),
    connection.db.insert(apiKeys).values(row),
    auditStatement(c, connection, deed(c, "key.rotated", row.hash, { former: id, overlapMs })),
  ]);
  if (done === null) throw keyNotFound(id);
  return { ...view({ ...row, revokedAt: null }), key };
}

/** Ends a key now: it is refused everywhere within 10 s. Throws a 404. */
export async function revokeKey(c: Context<App>, id: string): Promise<void> {
  const connection = openSql(c.env);
  const now = Date.now();
  const done = await connection.atomically([
    required(endStatement(c, connection, id, now, now)),
    auditStatement(c, connection, deed(c, "key.revoked", id)),
  ]);
  if (done === null) throw keyNotFound(id);
}

/** Changes no row where the environment has no such key, or it has ended before. */
function endStatement(c: Context<App>, connection: SqlConnection, id: string, now: number, at: number) {
  if (!/^[0-9a-f]{16}$/.test(id)) throw keyNotFound(id);
  const { apiKeys } = connection.tables;
  const own = and(eq(apiKeys.environmentKey, c.var.environment.key), like(apiKeys.hash, `${id}%`));
  return connection.db
    .update(apiKeys)
    .set({ revokedAt: at })
    .where(and(own, accepted(connection, now)));
}

const deed = (c: Context<App>, action: string, hash: string, details?: Record<string, unknown>) => ({
  organizationId: c.var.environment.organization.id,
  action,
  target: { type: "key", id: hash.slice(0, ID_LENGTH) },
  scope: `${c.var.environment.project.ref}/${c.var.environment.slug}`,
  details,
});

const keyNotFound = (id: string): Failure =>
  new Failure(
    404,
    "key_not_found",
    `Key ${id.slice(0, 64)} is not an accepted key of this environment. Nothing was changed.`,
  );
