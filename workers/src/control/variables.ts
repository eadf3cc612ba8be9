import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { utf8Bytes } from "@acme/sdk/contract";
import { VARIABLE_LIMITS, type VariableObject } from "@acme/sdk/contract/api";
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { Context } from "hono";
import { resealChannels } from "../alerts/channels.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { openSql, required, type SqlConnection, type Statement } from "../storage/sql-connection.ts";
import { actorOf, auditStatement } from "./audit.ts";
import { currentKey, type EncryptionBindings, keysOf, nextKey, seal, unseal } from "./sealing.ts";

const REDACTED = "<redacted>";

type Row = SqlConnection["tables"]["variables"]["$inferSelect"];

/** Binds an encrypted value to its variable: copied elsewhere, it can't be decrypted. */
const placeOf = ({ environmentKey, name }: Pick<Row, "environmentKey" | "name">): string =>
  `${environmentKey}/${name}`;

async function parentOf({ db, tables }: SqlConnection, environmentKey: string): Promise<string | null> {
  const { environments } = tables;
  const rows = await db
    .select({ parentKey: environments.parentKey })
    .from(environments)
    .where(eq(environments.key, environmentKey));
  return rows[0]?.parentKey ?? null;
}

/** An environment's key, and those of the environments whose variables it has too, the nearest first. */
async function lineOf(connection: SqlConnection, environmentKey: string): Promise<string[]> {
  const line = [environmentKey];
  for (;;) {
    const parent = await parentOf(connection, line.at(-1) as string);
    if (parent === null || line.includes(parent)) return line;
    line.push(parent);
  }
}

/**
 * An environment's variables by name: its own and those that it inherits: a branch from the environment to
 * which it belongs, a member's development environment from the one that all share.
 */
async function rowsOf(connection: SqlConnection, environmentKey: string): Promise<Row[]> {
  const { variables } = connection.tables;
  const line = await lineOf(connection, environmentKey);
  const rows = await connection.db
    .select()
    .from(variables)
    .where(inArray(variables.environmentKey, line))
    .orderBy(asc(variables.name));
  const byName = new Map<string, Row>();
  const distance = (row: Row) => line.indexOf(row.environmentKey);
  for (const row of rows) {
    const known = byName.get(row.name);
    if (!known || distance(row) < distance(known)) byName.set(row.name, row);
  }
  return [...byName.values()];
}

/** Returns what a person or program may see, which excludes the values of secrets. */
export async function listVariables(
  env: EncryptionBindings,
  connection: SqlConnection,
  environmentKey: string,
): Promise<VariableObject[]> {
  const rows = await rowsOf(connection, environmentKey);
  const shown = rows.filter(({ isSecret }) => !isSecret);
  const keys = await keysOf(
    env,
    connection,
    shown.map(({ keyId }) => keyId),
  );
  return Promise.all(
    rows.map(async (row) => {
      const key = row.isSecret ? undefined : keys.get(row.keyId);
      return {
        name: row.name,
        value: key ? await unseal(key, row.sealed, placeOf(row)) : REDACTED,
        isSecret: row.isSecret,
        inherited: row.environmentKey !== environmentKey,
        updatedAt: new Date(row.updatedAt).toISOString(),
        updatedBy: row.updatedBy,
      };
    }),
  );
}

/** Returns the variables for a process of this environment, and the names of those that must not be shown. */
export async function openVariables(
  env: EncryptionBindings,
  connection: SqlConnection,
  environmentKey: string,
): Promise<{ env: Record<string, string>; secretNames: string[] }> {
  const rows = await rowsOf(connection, environmentKey);
  const keys = await keysOf(
    env,
    connection,
    rows.map(({ keyId }) => keyId),
  );
  const values = await Promise.all(
    rows.map(async (row) => {
      const key = keys.get(row.keyId);
      if (!key) throw new Error(`The key ${row.keyId} does not exist`);
      return [row.name, await unseal(key, row.sealed, placeOf(row))] as const;
    }),
  );
  return {
    env: Object.fromEntries(values),
    secretNames: rows.filter(({ isSecret }) => isSecret).map(({ name }) => name),
  };
}

interface Change {
  name: string;
  value: string;
  /** Undefined: not changed; a new variable is not secret. */
  isSecret: boolean | undefined;
}

/**
 * Sets variables, all or none. `override` false: existing variables are not changed. Returns the names of the
 * variables that were set.
 */
export async function setVariables(
  c: Context<App>,
  environment: EnvironmentRef,
  changes: Change[],
  { override, parent = false }: { override: boolean; parent?: boolean },
): Promise<string[]> {
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const { variables } = tables;
  const environmentKey = parent ? await parentOf(connection, environment.key) : environment.key;
  if (environmentKey === null) {
    throw new Failure(
      400,
      "no_parent_environment",
      `Environment "${environment.slug}" is not a branch, so it has no parent whose variables could be set. Nothing was changed.`,
    );
  }
  const own = await db.select().from(variables).where(eq(variables.environmentKey, environmentKey));
  const there = new Map(own.map((row) => [row.name, row]));
  const wanted = changes.filter(({ name }) => override || !there.has(name));
  if (wanted.length === 0) return [];
  checkLimits(own, wanted);
  const key = await currentKey(c.env, connection, environment.organization.id);
  const now = Date.now();
  const { actorName } = actorOf(c);
  const sealed = await Promise.all(
    wanted.map(({ name, value }) => seal(key, value, placeOf({ environmentKey, name }))),
  );
  const upserts = wanted.map(({ name, isSecret }, index): Statement => {
    const fresh = { sealed: sealed[index] as string, keyId: key.id, updatedAt: now, updatedBy: actorName };
    return db
      .insert(variables)
      .values({ environmentKey, name, isSecret: isSecret ?? false, createdAt: now, ...fresh })
      .onConflictDoUpdate({
        target: [variables.environmentKey, variables.name],
        // A secret variable stays secret, otherwise its value would be shown.
        set: isSecret === true ? { ...fresh, isSecret } : fresh,
      });
  });
  const names = wanted.map(({ name }) => name);
  await connection.atomically([
    ...upserts,
    auditStatement(c, connection, {
      organizationId: environment.organization.id,
      action: "variables.set",
      target: { type: "environment", id: environment.id },
      scope: `${environment.project.ref}/${environment.slug}${parent ? " (parent)" : ""}`,
      details: { names: names.slice(0, 100), count: names.length },
    }),
  ]);
  return names;
}

/**
 * Encrypted values are longer than their contents, by the tag and the base64 encoding. That is accurate
 * enough for a limit.
 */
function checkLimits(own: Row[], wanted: Change[]): void {
  const changed = new Set(wanted.map(({ name }) => name));
  const kept = own.filter(({ name }) => !changed.has(name));
  const bytes =
    kept.reduce((sum, { name, sealed }) => sum + name.length + Math.ceil(sealed.length * 0.75), 0) +
    wanted.reduce((sum, { name, value }) => sum + name.length + utf8Bytes(value), 0);
  if (kept.length + wanted.length > VARIABLE_LIMITS.perEnvironment) {
    throw new Failure(
      413,
      "too_many_variables",
      `An environment has at most ${VARIABLE_LIMITS.perEnvironment} variables; this would make ${kept.length + wanted.length}. Nothing was changed.`,
    );
  }
  if (bytes > VARIABLE_LIMITS.totalBytes) {
    throw new Failure(
      413,
      "variables_too_large",
      `All variables of an environment together may have ${VARIABLE_LIMITS.totalBytes} bytes; this would make ${bytes}. Nothing was changed.`,
    );
  }
}

/** Deletes a variable. A branch loses only its own value; the parent's value then applies again. */
export async function deleteVariable(
  c: Context<App>,
  environment: EnvironmentRef,
  name: string,
): Promise<void> {
  const connection = openSql(c.env);
  const { variables } = connection.tables;
  const deleted = await connection.atomically([
    required(
      connection.db
        .delete(variables)
        .where(and(eq(variables.environmentKey, environment.key), eq(variables.name, name))),
    ),
    auditStatement(c, connection, {
      organizationId: environment.organization.id,
      action: "variables.deleted",
      target: { type: "environment", id: environment.id },
      scope: `${environment.project.ref}/${environment.slug}`,
      details: { names: [name] },
    }),
  ]);
  if (!deleted) throw variableNotFound(environment, name);
}

export const variableNotFound = (environment: EnvironmentRef, name: string): Failure =>
  new Failure(
    404,
    "variable_not_found",
    `Environment "${environment.slug}" has no variable ${name.slice(0, VARIABLE_LIMITS.nameLength)} of its own. Nothing was changed.`,
  );

/**
 * Encrypts all variables of an organization with a new key, one by one. Each row names its key, so all stay
 * readable. If this is interrupted, the rest keeps the old key until the next rotation.
 */
export async function rotateEncryption(
  c: Context<App>,
  organizationId: string,
): Promise<{ number: number; variables: number }> {
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const { variables, environments, projects, organizationKeys } = tables;
  const key = await nextKey(c.env, connection, organizationId);
  await connection.atomically([
    auditStatement(c, connection, {
      organizationId,
      action: "encryption.rotated",
      target: { type: "organization", id: organizationId },
      details: { number: key.number },
    }),
  ]);
  const rows = await db
    .select({ row: variables })
    .from(variables)
    .innerJoin(environments, eq(environments.key, variables.environmentKey))
    .innerJoin(projects, eq(projects.id, environments.projectId))
    .where(and(eq(projects.organizationId, organizationId), sql`${variables.keyId} <> ${key.id}`));
  const keys = await keysOf(
    c.env,
    connection,
    rows.map(({ row }) => row.keyId),
  );
  for (const { row } of rows) {
    const old = keys.get(row.keyId);
    if (!old) throw new Error(`The key ${row.keyId} does not exist`);
    const sealed = await seal(key, await unseal(old, row.sealed, placeOf(row)), placeOf(row));
    // A value that was set meanwhile is not changed: it uses the new key, or was begun before the rotation.
    await db
      .update(variables)
      .set({ sealed, keyId: key.id })
      .where(
        and(
          eq(variables.environmentKey, row.environmentKey),
          eq(variables.name, row.name),
          eq(variables.sealed, row.sealed),
        ),
      );
  }
  await resealChannels(c.env, connection, organizationId, key);
  // A request that began to set a variable earlier still needs the key that was current then.
  await db
    .delete(organizationKeys)
    .where(
      and(
        eq(organizationKeys.organizationId, organizationId),
        sql`${organizationKeys.number} < ${key.number - 1}`,
        sql`NOT EXISTS (SELECT 1 FROM variables WHERE variables.key_id = ${organizationKeys.id})`,
        sql`NOT EXISTS (SELECT 1 FROM alert_channels WHERE alert_channels.key_id = ${organizationKeys.id})`,
      ),
    );
  return { number: key.number, variables: rows.length };
}
