import { MIGRATIONS } from "./migrations.ts";

/** What both official clients have, the one for Node and the one for the web. */
export interface MigrationClient {
  command(parameters: { query: string }): Promise<unknown>;
  query(parameters: { query: string; format: "JSONEachRow" }): Promise<{ json<T>(): Promise<T[]> }>;
}

/** Beside the tables, so that whoever has them knows their version. */
const VERSIONS = `
  CREATE TABLE IF NOT EXISTS acme_migrations (version UInt32, name String, applied_at DateTime DEFAULT now())
  ENGINE = ReplacingMergeTree ORDER BY version`;

/** The steps of the schema that a database has; empty: none, or there is no such database. */
async function appliedVersions(client: MigrationClient): Promise<number[]> {
  const rows = await client.query({ query: "SELECT version FROM acme_migrations", format: "JSONEachRow" });
  return (await rows.json<{ version: number }>()).map(({ version }) => version);
}

/**
 * Brings the schema to the latest version. Every statement may run twice, so it does not matter if several servers do this at
 * once, or if it is interrupted.
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

/** Version of the schema. Throws where ClickHouse can't be reached, or has no schema at all. */
export async function schemaVersion(client: MigrationClient): Promise<number> {
  return Math.max(0, ...(await appliedVersions(client)));
}
