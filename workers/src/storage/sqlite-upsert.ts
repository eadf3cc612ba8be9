import type { RunRow } from "@acme/durable-objects/rpc";
import { getTableColumns, type SQL, sql } from "drizzle-orm";
import {
  IS_NEW_ERROR,
  IS_NEW_FACT,
  IS_REPLACED,
  insertErrorCounts,
  insertErrorGroups,
  insertRollups,
} from "./count-statements.ts";
import { jsonChunks, newestOfEach, tagsOf } from "./projected-rows.ts";
import { MINUTE_MS, MINUTES_KEPT_MS } from "./rollup-columns.ts";
import { errorFactsOf, factsOf } from "./run-facts.ts";
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
    ...jsonChunks(factsOf(rows)).map(countFacts),
    ...jsonChunks(errorFactsOf(rows)).flatMap(countErrors),
    // Without `WHERE true`, the parser would take ON CONFLICT for a part of a join.
    ...jsonChunks(encoded).map(
      (json) => sql`WITH given AS MATERIALIZED (SELECT value FROM json_each(${json}))
        INSERT INTO runs (${COLUMNS}) SELECT ${VALUES} FROM given WHERE true
        ON CONFLICT (id) DO UPDATE SET ${CHANGES} WHERE ${IS_REPLACED}`,
    ),
    ...jsonChunks(tagsOf(rows)).map(
      (json) => sql`WITH given AS MATERIALIZED (SELECT value FROM json_each(${json}))
        INSERT INTO run_tags (environment_key, tag, created_at, run_id)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM given WHERE true
        ON CONFLICT DO NOTHING`,
    ),
    ...prunings(rows),
  ];
}

const countFacts = (json: string): SQL => sql`
  WITH given AS MATERIALIZED (SELECT value FROM json_each(${json})),
  counted AS MATERIALIZED (
    SELECT value ->> 2 AS kind, value ->> 3 AS environment_key, value ->> 4 AS task, value ->> 5 AS queue, value ->> 6 AS machine,
      value ->> 7 AS minute, value ->> 8 AS counted_as, value ->> 9 AS time_class, count(*) AS n, sum(value ->> 10) AS usage_ms
    FROM given LEFT JOIN runs ON runs.id = value ->> 0
    WHERE ${IS_NEW_FACT(sql`value ->> 1`, sql`value ->> 2`)}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8)
  ${insertRollups(sql`counted`)}`;

function countErrors(json: string): SQL[] {
  const fresh = sql`
    WITH given AS MATERIALIZED (SELECT value FROM json_each(${json})),
    fresh AS MATERIALIZED (
      SELECT value ->> 2 AS environment_key, value ->> 3 AS fingerprint, value ->> 4 AS task, value ->> 5 AS name,
        value ->> 6 AS message, value ->> 7 AS at, value ->> 8 AS hour, value ->> 9 AS minute, value ->> 10 AS deployment
      FROM given LEFT JOIN runs ON runs.id = value ->> 0
      WHERE ${IS_NEW_ERROR(sql`value ->> 1`)})`;
  return [
    sql`${fresh} ${insertErrorGroups(sql`fresh`, "max", "min")}`,
    sql`${fresh} ${insertErrorCounts(sql`fresh`)}`,
  ];
}

/** Rollups that one statement deletes at most: more than a call adds. */
const PRUNED = 200;

/** Deletes minutes that are not shown any more, of the environments whose rows these are. */
function prunings(rows: RunRow[]): SQL[] {
  const before = Date.now() - MINUTES_KEPT_MS;
  return [...new Set(rows.map((row) => row.environmentKey))].map(
    (
      environmentKey,
    ) => sql`DELETE FROM run_rollups WHERE (environment_key, step, time, task, queue, machine) IN (
      SELECT environment_key, step, time, task, queue, machine FROM run_rollups
      WHERE environment_key = ${environmentKey} AND step = ${sql.raw(String(MINUTE_MS))} AND time < ${before} LIMIT ${sql.raw(String(PRUNED))})`,
  );
}
