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
import { runs } from "./postgres-schema.ts";
import { newestOfEach, storableJson, tagsOf } from "./projected-rows.ts";
import { MINUTE_MS, MINUTES_KEPT_MS } from "./rollup-columns.ts";
import { errorFactsOf, factsOf } from "./run-facts.ts";

const FIELDS = Object.entries(getTableColumns(runs));
const NAMES = FIELDS.map(([, column]) => column.name);
const FIXED = new Set(["id", "environment_key", "task", "queue", "created_at"]);

/**
 * An integer column is read as double precision and cast, which rounds, because a fraction must not stop the
 * projection.
 */
const readAs = (type: string): string =>
  type === "bigint" || type === "integer" ? "double precision" : type;

const raw = (parts: string[]): SQL => sql.raw(parts.join(", "));
const COLUMNS = raw(NAMES);
const RECORD = raw(FIELDS.map(([field, column]) => `"${field}" ${readAs(column.getSQLType())}`));
const VALUES = raw(FIELDS.map(([field, column]) => `"${field}"::${column.getSQLType()}`));
const CHANGES = raw(NAMES.filter((name) => !FIXED.has(name)).map((name) => `${name} = excluded.${name}`));

const whole = (index: number): SQL => sql.raw(`(value ->> ${index})::double precision::bigint`);

/**
 * Makes sure that each fact is counted once: two concurrent statements with the same run would both find
 * nothing stored. The second waits here until the first is finished. It is a separate, earlier statement, so
 * that the next one sees the stored rows.
 */
export const lockCounts = (rows: RunRow[]): SQL => sql`
  SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM (
    SELECT value AS key FROM jsonb_array_elements_text(${JSON.stringify([...new Set(rows.map((row) => row.environmentKey))].sort())}::jsonb)) AS keys`;

/** Returns the one statement that stores these rows: all or none. */
export function postgresUpsert(given: RunRow[]): SQL {
  const rows = newestOfEach(given);
  return sql`WITH counted AS MATERIALIZED (
      SELECT value ->> 2 AS kind, value ->> 3 AS environment_key, value ->> 4 AS task, value ->> 5 AS queue, value ->> 6 AS machine,
        ${whole(7)} AS minute, value ->> 8 AS counted_as, ${whole(9)} AS time_class, count(*) AS n,
        sum((value ->> 10)::double precision) AS usage_ms
      FROM jsonb_array_elements(${storableJson(factsOf(rows))}::jsonb) LEFT JOIN runs ON runs.id = value ->> 0
      WHERE ${IS_NEW_FACT(whole(1), sql`value ->> 2`)}
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ), rollups AS (${insertRollups(sql`counted`)}
    ), fresh AS MATERIALIZED (
      SELECT value ->> 2 AS environment_key, value ->> 3 AS fingerprint, value ->> 4 AS task, value ->> 5 AS name,
        value ->> 6 AS message, ${whole(7)} AS at, ${whole(8)} AS hour, ${whole(9)} AS minute, value ->> 10 AS deployment
      FROM jsonb_array_elements(${storableJson(errorFactsOf(rows))}::jsonb) LEFT JOIN runs ON runs.id = value ->> 0
      WHERE ${IS_NEW_ERROR(whole(1))}
    ), groups AS (${insertErrorGroups(sql`fresh`, "greatest", "least")}
    ), counts AS (${insertErrorCounts(sql`fresh`)}
    ), changed_runs AS (
      INSERT INTO runs (${COLUMNS}) SELECT ${VALUES} FROM jsonb_to_recordset(${storableJson(rows)}::jsonb) AS given(${RECORD})
      ON CONFLICT (id) DO UPDATE SET ${CHANGES} WHERE ${IS_REPLACED}
    ), changed_tags AS (
      INSERT INTO run_tags (environment_key, tag, created_at, run_id)
      SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, value ->> 3
      FROM jsonb_array_elements(${storableJson(tagsOf(rows))}::jsonb)
      ON CONFLICT DO NOTHING
    ) SELECT 1`;
}

/** The maximum number of rollups that one statement deletes, which is more than a call adds. */
const PRUNED = 200;

/** Deletes minutes that are not shown any more, for the environments of these rows. */
export const pruneRollups = (rows: RunRow[]): SQL => sql`
  DELETE FROM run_rollups WHERE ctid IN (
    SELECT ctid FROM run_rollups WHERE step = ${MINUTE_MS} AND time < ${Date.now() - MINUTES_KEPT_MS}
      AND environment_key IN (SELECT jsonb_array_elements_text(${JSON.stringify([...new Set(rows.map((row) => row.environmentKey))])}::jsonb))
    LIMIT ${PRUNED})`;
