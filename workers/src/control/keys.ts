import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { ApiKeyBody, CreateApiKeyBody, CreatedApiKey, RotateApiKeyBody } from "@acme/sdk/contract/api";
import { and, desc, eq, gt, isNull, like, or, sql } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import { forgetKeys } from "../auth/credentials.ts";
import { randomSecret } from "../auth/random-secret.ts";
import { digest } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openSql, required, type SqlConnection } from "../storage/sql-connection.ts";
import { isoTime } from "../views/time.ts";
import { actorOf, auditStatement, type Deed, deedIn } from "./audit.ts";

const ID_LENGTH = 16;
/** The maximum number of valid keys of one environment. */
const MAX_KEYS = 100;
const LISTED = 200;

/**
 * Part of a key, by the environment's type. It makes the published client request public tokens from the
 * server.
 */
const KEY_NAMES = { DEVELOPMENT: "dev", STAGING: "stg", PREVIEW: "preview", PRODUCTION: "prod" } as const;
const SECRET_LENGTH = 24;
/** How many characters of the secret part remain visible later. */
const SHOWN_LENGTH = 4;

/** Returns `tr_prod_sk_` with 24 random letters and digits, and the beginning that remains visible. */
function newSecretKey(type: EnvironmentRef["type"]): { key: string; start: string } {
  const prefix = `tr_${KEY_NAMES[type]}_sk_`;
  const secret = randomSecret(SECRET_LENGTH);
  return { key: prefix + secret, start: prefix + secret.slice(0, SHOWN_LENGTH) };
}

type KeyRow = SqlConnection["tables"]["apiKeys"]["$inferSelect"];

const view = (row: KeyRow): ApiKeyBody => ({
  id: row.hash.slice(0, ID_LENGTH),
  name: row.name,
  start: row.start,
  createdAt: isoTime(row.createdAt),
  createdBy: row.createdBy,
  lastUsedAt: row.lastUsedAt === null ? null : isoTime(row.lastUsedAt),
  revokedAt: row.revokedAt === null ? undefined : isoTime(row.revokedAt),
});

/** A key that is not stored yet. */
function newKey(
  c: Context<App>,
  { name, expiresInSeconds }: z.output<typeof CreateApiKeyBody>,
): { key: string; row: KeyRow } {
  const { key: environmentKey, type } = c.var.environment;
  const { key, start } = newSecretKey(type);
  const createdAt = Date.now();
  const row = {
    hash: digest(key),
    environmentKey,
    name,
    start,
    createdAt,
    createdBy: actorOf(c).actorName,
    lastUsedAt: null,
    revokedAt: expiresInSeconds === null ? null : createdAt + expiresInSeconds * 1000,
  };
  return { key, row };
}

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

/**
 * For the server's operator: stores the hash of a key that was created elsewhere, with an entry in the audit
 * log.
 */
export async function adoptKey(
  c: Context<App>,
  connection: SqlConnection,
  environment: EnvironmentRef,
  key: string,
): Promise<void> {
  const row = { hash: digest(key), environmentKey: environment.key, createdAt: Date.now() };
  await connection.atomically([
    connection.db.insert(connection.tables.apiKeys).values(row),
    auditStatement(c, connection, keyDeed(environment, "key.created", row.hash, { name: "default" })),
  ]);
}

/** Adds a key to the existing ones. Throws a 422 if there are too many. */
export async function createKey(
  c: Context<App>,
  body: z.output<typeof CreateApiKeyBody>,
): Promise<CreatedApiKey> {
  const connection = openSql(c.env);
  await checkCount(c, connection);
  const { key, row } = newKey(c, body);
  await connection.atomically([
    connection.db.insert(connection.tables.apiKeys).values(row),
    auditStatement(c, connection, deed(c, "key.created", row.hash, { name: row.name, ...endOf(row) })),
  ]);
  return { ...view(row), key };
}

/**
 * Replaces a key by a new one. The former key stays valid during the overlap. Throws a 404, or a 422 if there
 * are too many.
 */
export async function rotateKey(
  c: Context<App>,
  id: string,
  { overlapSeconds, expiresInSeconds }: z.output<typeof RotateApiKeyBody>,
): Promise<CreatedApiKey> {
  const overlapMs = overlapSeconds * 1000;
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const now = Date.now();
  const former = await db
    .select()
    .from(tables.apiKeys)
    .where(ownKey(c, connection, id, now))
    .limit(1);
  if (!former[0]) throw keyNotFound(id);
  if (overlapMs > 0) await checkCount(c, connection);
  const { key, row } = newKey(c, { name: former[0].name, expiresInSeconds });
  // One transaction, so that a crash leaves either only the former key or both.
  const done = await connection.atomically([
    required(endStatement(c, connection, id, now, now + overlapMs)),
    db.insert(tables.apiKeys).values(row),
    auditStatement(
      c,
      connection,
      deed(c, "key.rotated", row.hash, { name: row.name, former: id, overlapMs, ...endOf(row) }),
    ),
  ]);
  if (done === null) throw keyNotFound(id);
  forgetKeys();
  return { ...view(row), key };
}

async function checkCount(c: Context<App>, connection: SqlConnection): Promise<void> {
  const { apiKeys } = connection.tables;
  const own = and(eq(apiKeys.environmentKey, c.var.environment.key), accepted(connection, Date.now()));
  const keys = await connection.db.select({ hash: apiKeys.hash }).from(apiKeys).where(own).limit(MAX_KEYS);
  if (keys.length < MAX_KEYS) return;
  throw new Failure(
    422,
    "too_many_keys",
    `The environment has ${MAX_KEYS} keys, which is the limit. Revoke one that is not used. Nothing was created.`,
  );
}

/** Revokes a key: it is refused everywhere within 10 s. Throws a 404. */
export async function revokeKey(c: Context<App>, id: string): Promise<void> {
  const connection = openSql(c.env);
  const now = Date.now();
  const done = await connection.atomically([
    required(endStatement(c, connection, id, now, now)),
    auditStatement(c, connection, deed(c, "key.revoked", id)),
  ]);
  if (done === null) throw keyNotFound(id);
  forgetKeys();
}

/** Returns the valid key with this id. Throws a 404 for an invalid id. */
function ownKey(c: Context<App>, connection: SqlConnection, id: string, now: number) {
  if (!/^[0-9a-f]{16}$/.test(id)) throw keyNotFound(id);
  const { apiKeys } = connection.tables;
  return and(
    eq(apiKeys.environmentKey, c.var.environment.key),
    like(apiKeys.hash, `${id}%`),
    accepted(connection, now),
  );
}

/**
 * Changes no row if the environment has no such key, or the key has ended earlier. The end of a key is never
 * postponed.
 */
function endStatement(c: Context<App>, connection: SqlConnection, id: string, now: number, at: number) {
  const { apiKeys } = connection.tables;
  const end = sql`CASE WHEN ${apiKeys.revokedAt} < ${at} THEN ${apiKeys.revokedAt} ELSE ${at} END`;
  return connection.db
    .update(apiKeys)
    .set({ revokedAt: end })
    .where(ownKey(c, connection, id, now));
}

const endOf = ({ revokedAt }: KeyRow) => (revokedAt === null ? {} : { expiresAt: isoTime(revokedAt) });

const keyDeed = (
  environment: EnvironmentRef,
  action: string,
  hash: string,
  details?: Record<string, unknown>,
): Deed => deedIn(environment, { action, target: { type: "key", id: hash.slice(0, ID_LENGTH) }, details });

const deed = (c: Context<App>, ...rest: [action: string, hash: string, details?: Record<string, unknown>]) =>
  keyDeed(c.var.environment, ...rest);

const keyNotFound = (id: string): Failure =>
  new Failure(
    404,
    "key_not_found",
    `Key ${id.slice(0, 64)} is not an accepted key of this environment. Nothing was changed.`,
  );
