import type { RunRow } from "@acme/durable-objects/rpc";
import { getTableColumns, type SQL, sql } from "drizzle-orm";
import { jsonChunks, newestOfEach, tagsOf } from "./projected-rows.ts";
import { runs } from "./sqlite-schema.ts";

/**
 * Rows travel as one JSON parameter (a statement takes 100), as arrays in the order of the columns. MATERIALIZED makes
 * SQLite write each element out once; without it, it does so again for every column, which halves the speed.
 */
const FIELDS = Object.entries(getTableColumns(runs)) as [keyof RunRow, { name: string }][];
const NAMES = FIELDS.map(([, column]) => column.name);
/** What never changes after a run's first row is left as it is, and with it the indexes. */
const FIXED = new Set(["id", "environment_key", "task", "queue", "created_at"]);

const raw = (parts: string[]): SQL => sql.raw(parts.join(", "));
const COLUMNS = raw(NAMES);
const VALUES = raw(NAMES.map((_, index) => `value ->> ${index}`));
const CHANGES = raw(NAMES.filter((name) => !FIXED.has(name)).map((name) => `${name} = excluded.${name}`));

/** The statements that bring these rows to the database: they belong in one transaction. */
export function sqliteUpsert(given: RunRow[]): SQL[] {
  const rows = newestOfEach(given);
  const encoded = rows.map((row) => FIELDS.map(([field]) => row[field]));
  return [
    // Without `WHERE true`, the parser would take ON CONFLICT for a part of a join.
    ...jsonChunks(encoded).map(
      (json) => sql`WITH given AS MATERIALIZED (SELECT value FROM json_each(${json}))
        INSERT INTO runs (${COLUMNS}) SELECT ${VALUES} FROM given WHERE true
        ON CONFLICT (id) DO UPDATE SET ${CHANGES} WHERE excluded.version > runs.version`,
    ),
    ...jsonChunks(tagsOf(rows)).map(
      (json) => sql`WITH given AS MATERIALIZED (SELECT value FROM json_each(${json}))
        INSERT INTO run_tags (environment_key, tag, created_at, run_id)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM given WHERE true
        ON CONFLICT DO NOTHING`,
    ),
  ];
}
