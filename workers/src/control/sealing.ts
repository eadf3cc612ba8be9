import { newId } from "@acme/sdk/contract";
import { and, asc, desc, eq, gt } from "drizzle-orm";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";

/**
 * Secrets at rest: AES-256-GCM under a key of their organization, which is itself sealed ("wrapped") by a secret of the
 * Worker. `ENCRYPTION_KEYS` is a comma-separated list of `ID:SECRET`; SECRET has at least 16 characters. The first one
 * wraps, all of them unwrap: a rotation puts a new one first, has all keys wrapped again, and then removes the old one.
 */
export interface EncryptionBindings {
  ENCRYPTION_KEYS?: string;
}

interface WrappingKey {
  id: string;
  key: CryptoKey;
}

const ENTRY = /^([\w-]{1,32}):([^\s,]{16,})$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

let known: { of: string; keys: Promise<WrappingKey[]> } | undefined;

function wrappingKeys({ ENCRYPTION_KEYS = "" }: EncryptionBindings): Promise<WrappingKey[]> {
  if (known?.of !== ENCRYPTION_KEYS) known = { of: ENCRYPTION_KEYS, keys: parse(ENCRYPTION_KEYS) };
  return known.keys;
}

async function parse(text: string): Promise<WrappingKey[]> {
  const entries = text.split(",").map((entry) => ENTRY.exec(entry.trim()));
  if (entries.some((entry) => entry === null)) {
    throw new Failure(
      503,
      "encryption_not_configured",
      "This server keeps no variables yet: its ENCRYPTION_KEYS is missing or not of the form ID:SECRET[,ID:SECRET…] " +
        "with secrets of at least 16 characters. Its operator sets it (`npx wrangler secret put ENCRYPTION_KEYS`).",
    );
  }
  return Promise.all(
    entries.map(async (entry) => ({ id: entry?.[1] ?? "", key: await derive(entry?.[2] ?? "") })),
  );
}

async function derive(secret: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode("acme wrapping key") },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}

/**
 * Returns `IV.CIPHERTEXT`, both in base64url. `place`: what the text belongs to; copied elsewhere, it can't
 * be decrypted.
 */
async function encrypt(key: CryptoKey, bytes: Uint8Array<ArrayBuffer>, place: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const additionalData = encoder.encode(place);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, bytes);
  return `${Buffer.from(iv).toString("base64url")}.${Buffer.from(sealed).toString("base64url")}`;
}

async function decrypt(key: CryptoKey, text: string, place: string): Promise<Uint8Array<ArrayBuffer>> {
  const [iv, sealed] = text.split(".").map((part) => new Uint8Array(Buffer.from(part, "base64url")));
  if (!iv || !sealed) throw new Error("The sealed text is not complete");
  const additionalData = encoder.encode(place);
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, sealed));
}

/** An unwrapped key of an organization. */
export interface SealingKey {
  id: string;
  number: number;
  key: CryptoKey;
}

/** A key with a given id never changes, so it can be cached. */
const unwrapped = new Cache<SealingKey>(300_000);

type Row = SqlConnection["tables"]["organizationKeys"]["$inferSelect"];

async function unwrap(env: EncryptionBindings, row: Row): Promise<SealingKey> {
  const cached = unwrapped.get(row.id);
  if (cached) return cached;
  const [wrapper = "", ...rest] = row.wrapped.split(":");
  const wrapping = (await wrappingKeys(env)).find(({ id }) => id === wrapper);
  if (!wrapping) {
    throw new Failure(
      503,
      "encryption_key_missing",
      `Variables of this organization are sealed under the server's encryption key "${wrapper}", which ENCRYPTION_KEYS does not hold any more. Its operator has to put it back.`,
    );
  }
  const raw = await decrypt(wrapping.key, rest.join(":"), placeOf(row));
  return unwrapped.set(row.id, { id: row.id, number: row.number, key: await importKey(raw) });
}

const placeOf = (row: { id: string; organizationId: string }): string => `${row.organizationId}/${row.id}`;

const importKey = (raw: Uint8Array<ArrayBuffer>): Promise<CryptoKey> =>
  crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);

/** Returns the key that encrypts an organization's new values. The first one is created when it is needed. */
export async function currentKey(
  env: EncryptionBindings,
  connection: SqlConnection,
  organizationId: string,
): Promise<SealingKey> {
  const newest = await newestKey(connection, organizationId);
  if (newest) return unwrap(env, newest);
  return addKey(env, connection, organizationId, 1);
}

async function newestKey({ db, tables }: SqlConnection, organizationId: string): Promise<Row | undefined> {
  const { organizationKeys } = tables;
  const rows = await db
    .select()
    .from(organizationKeys)
    .where(eq(organizationKeys.organizationId, organizationId))
    .orderBy(desc(organizationKeys.number))
    .limit(1);
  return rows[0];
}

/** Two concurrent calls for the same number get one key. */
async function addKey(
  env: EncryptionBindings,
  connection: SqlConnection,
  organizationId: string,
  number: number,
): Promise<SealingKey> {
  const { organizationKeys } = connection.tables;
  const wrapping = (await wrappingKeys(env))[0] as WrappingKey;
  const id = newId("key");
  const raw = crypto.getRandomValues(new Uint8Array(32));
  const wrapped = `${wrapping.id}:${await encrypt(wrapping.key, raw, placeOf({ id, organizationId }))}`;
  await connection.db
    .insert(organizationKeys)
    .values({ id, organizationId, number, wrapped, createdAt: Date.now() })
    .onConflictDoNothing({ target: [organizationKeys.organizationId, organizationKeys.number] });
  const there = await newestKey(connection, organizationId);
  if (!there) throw new Error("The key that was just created does not exist");
  return unwrap(env, there);
}

/** Creates the key after the newest one. */
export async function nextKey(
  env: EncryptionBindings,
  connection: SqlConnection,
  organizationId: string,
): Promise<SealingKey> {
  const newest = await newestKey(connection, organizationId);
  return addKey(env, connection, organizationId, (newest?.number ?? 0) + 1);
}

/** Returns the keys with these ids, for decryption. */
export async function keysOf(
  env: EncryptionBindings,
  { db, tables: { organizationKeys } }: SqlConnection,
  ids: Iterable<string>,
): Promise<Map<string, SealingKey>> {
  const keys = new Map<string, SealingKey>();
  for (const id of new Set(ids)) {
    let key = unwrapped.get(id);
    if (!key) {
      const row = (await db.select().from(organizationKeys).where(eq(organizationKeys.id, id)))[0];
      if (!row) throw new Error(`The key ${id} does not exist`);
      key = await unwrap(env, row);
    }
    keys.set(id, key);
  }
  return keys;
}

export const seal = ({ key }: SealingKey, text: string, place: string): Promise<string> =>
  encrypt(key, new Uint8Array(encoder.encode(text)), place);

export const unseal = async ({ key }: SealingKey, sealed: string, place: string): Promise<string> =>
  decoder.decode(await decrypt(key, sealed, place));

const REWRAPPED = 100;

/** Wraps every organization's keys with the first wrapping key. It can be interrupted and done again. */
export async function rewrapAll(
  env: EncryptionBindings,
  { db, tables: { organizationKeys } }: SqlConnection,
): Promise<number> {
  const keys = await wrappingKeys(env);
  const current = keys[0] as WrappingKey;
  let rewrapped = 0;
  for (let after = ""; ; ) {
    const rows = await db
      .select()
      .from(organizationKeys)
      .where(gt(organizationKeys.id, after))
      .orderBy(asc(organizationKeys.id))
      .limit(REWRAPPED);
    for (const row of rows) {
      const [wrapper, ...rest] = row.wrapped.split(":");
      if (wrapper === current.id) continue;
      const wrapping = keys.find(({ id }) => id === wrapper);
      if (!wrapping) continue;
      const raw = await decrypt(wrapping.key, rest.join(":"), placeOf(row));
      const wrapped = `${current.id}:${await encrypt(current.key, raw, placeOf(row))}`;
      await db
        .update(organizationKeys)
        .set({ wrapped })
        .where(and(eq(organizationKeys.id, row.id), eq(organizationKeys.wrapped, row.wrapped)));
      rewrapped += 1;
    }
    const last = rows.at(-1);
    if (!last || rows.length < REWRAPPED) return rewrapped;
    after = last.id;
  }
}
