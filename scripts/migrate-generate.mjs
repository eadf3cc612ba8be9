/**
 * `npm run migrations -- --name NAME`: writes what changed in the schemas (workers/src/storage/*-schema.ts)
 * as SQL to workers/migrations, and all of SQLite's migrations as a module, which the database object applies
 * itself, so that workerd, esbuild and vitest need no loader for .sql files. With --check it writes nothing,
 * and fails if the module differs from the SQL files.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "workers/migrations/sqlite");
const modulePath = join(root, "workers/migrations/sqlite.ts");

const readJournal = () => JSON.parse(readFileSync(join(folder, "meta/_journal.json"), "utf8"));

/** Returns the text of workers/migrations/sqlite.ts, from the SQL files. */
export function migrationsModule() {
  const journal = readJournal();
  const migrations = Object.fromEntries(
    journal.entries.map(({ idx, tag }) => [
      `m${String(idx).padStart(4, "0")}`,
      readFileSync(join(folder, `${tag}.sql`), "utf8"),
    ]),
  );
  return `/** Written by \`npm run migrations\` from workers/migrations/sqlite. */
export const sqliteMigrations = ${JSON.stringify({ journal, migrations }, null, 2)};
`;
}

/**
 * Tables that consist of their primary key only, which drizzle-kit can't express: see runTags in
 * sqlite-schema.ts.
 */
function withoutRowid() {
  for (const { tag } of readJournal().entries) {
    const path = join(folder, `${tag}.sql`);
    const text = readFileSync(path, "utf8");
    const changed = text.replace(
      /(CREATE TABLE `(?:run_tags|error_counts|run_rollups)` \([^;]*?\n\));/g,
      "$1 WITHOUT ROWID;",
    );
    if (changed !== text) writeFileSync(path, changed);
  }
}

function generate() {
  const kit = join(root, "node_modules/drizzle-kit/bin.cjs");
  const at = process.argv.indexOf("--name");
  const name = at > 0 ? ["--name", process.argv[at + 1]] : [];
  for (const dialect of ["sqlite", "postgres"]) {
    const config = `workers/migrations/${dialect}.config.ts`;
    execFileSync(process.execPath, [kit, "generate", "--config", config, ...name], {
      cwd: root,
      stdio: "inherit",
    });
  }
  withoutRowid();
  writeFileSync(modulePath, migrationsModule());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes("--check")) generate();
  else if (readFileSync(modulePath, "utf8") !== migrationsModule()) {
    console.error("workers/migrations/sqlite.ts differs from the SQL files: run `npm run migrations`");
    process.exit(1);
  }
}
