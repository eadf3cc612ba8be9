/**
 * `node scripts/migrate-postgres.mjs [URL]`: applies workers/migrations/postgres to the database at URL (default: the
 * environment variable DATABASE_URL). Migrations that were applied before are skipped; two calls at once wait for each other.
 */
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The key of the advisory lock: any number that no other program uses. */
const LOCK = 4_772_115_301;

/** @param {string} url postgres://USER:PASSWORD@HOST:PORT/DATABASE */
export async function migratePostgres(url) {
  const client = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => {} });
  try {
    await client`SELECT pg_advisory_lock(${LOCK})`;
    await migrate(drizzle(client), { migrationsFolder: join(root, "workers/migrations/postgres") });
  } finally {
    await client.end({ timeout: 5 });
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const url = process.argv[2] ?? process.env.DATABASE_URL;
  if (!url) {
    console.error(
      "Name the database: node scripts/migrate-postgres.mjs postgres://USER:PASSWORD@HOST/DATABASE (or set DATABASE_URL)",
    );
    process.exit(1);
  }
  try {
    await migratePostgres(url);
    console.log("Postgres is migrated");
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    console.error(
      `Postgres could not be migrated: ${error instanceof Error ? error.message : error}${cause}`,
    );
    process.exit(1);
  }
}
