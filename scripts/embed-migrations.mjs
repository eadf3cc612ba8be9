// Writes workers/migrations/sqlite.ts from the SQL files that drizzle-kit made: an object applies its migrations itself,
// from its own bundle, where no file can be read. Run by `npm run migrations`; a test checks that both agree.
import { readFileSync, writeFileSync } from "node:fs";

const root = new URL("../workers/migrations/", import.meta.url);
const journal = JSON.parse(readFileSync(new URL("sqlite/meta/_journal.json", root), "utf8"));
const migrations = journal.entries.map(({ idx, tag }) => [
  `m${String(idx).padStart(4, "0")}`,
  readFileSync(new URL(`sqlite/${tag}.sql`, root), "utf8"),
]);
const text = `// Written by scripts/embed-migrations.mjs.
export const sqliteMigrations = ${JSON.stringify({ journal, migrations: Object.fromEntries(migrations) }, null, 2)};
`;
writeFileSync(new URL("sqlite.ts", root), text);
