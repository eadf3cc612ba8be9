import { MIGRATIONS } from "./migrations.ts";

/** The common part of both official clients, for Node and for the web. */
export interface MigrationClient {
  command(parameters: { query: string }): Promise<unknown>;
  query(parameters: { query: string; format: "JSONEachRow" }): Promise<{ json<T>(): Promise<T[]> }>;
}

/** Stored next to the tables, so that their version is always known. */
const VERSIONS = `
  CREATE TABLE IF NOT EXISTS acme_migrations (version UInt32, name String, applied_at DateTime DEFAULT now())
  ENGINE = ReplacingMergeTree ORDER BY version`;

/** Returns the applied steps of the schema; none if there is no such database. */
async function appliedVersions(client: MigrationClient): Promise<number[]> {
  const rows = await client.query({ query: "SELECT version FROM acme_migrations", format: "JSONEachRow" });
  return (await rows.json<{ version: number }>()).map(({ version }) => version);
}

/**
 * Migrates the schema to the latest version. Every statement may run twice, so several servers may do this at
 * once, and it may be interrupted.
 * @param server connected to the database `default`, which always exists
 * @param client connected to the database of the tables
 * @returns the names of the steps that were applied now
 */
export async function migrateClickHouse(
  server: MigrationClient,
  client: MigrationClient,
  database: string,
): Promise<string[]> {
  await server.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
  await client.command({ query: VERSIONS });
  const applied = new Set(await appliedVersions(client));
  const names: string[] = [];
  for (const { version, name, statements } of MIGRATIONS) {
    if (applied.has(version)) continue;
    for (const query of statements) await client.command({ query });
    await client.command({
      query: `INSERT INTO acme_migrations (version, name) VALUES (${version}, '${name}')`,
    });
    names.push(name);
  }
  return names;
}

/** Returns the version of the schema. Throws if ClickHouse can't be reached, or has no schema at all. */
export async function schemaVersion(client: MigrationClient): Promise<number> {
  return Math.max(0, ...(await appliedVersions(client)));
}
