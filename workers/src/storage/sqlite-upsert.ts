import type { RunRow } from "@acme/durable-objects/rpc";
import { getTableColumns, type SQL, sql } from "drizzle-orm";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import {
  IS_NEW_ERROR,
  IS_REPLACED,
  insertErrorCounts,
  insertErrorGroups,
  insertRollups,
} from "./count-statements.ts";
import { isShort, jsonChunks, newestOfEach, storableJson, tagsOf } from "./projected-rows.ts";
import { MINUTE_MS, MINUTES_KEPT_MS } from "./rollup-columns.ts";
import { errorFactsOf, groupedFactsOf } from "./run-facts.ts";
import { runs } from "./sqlite-schema.ts";

/**
 * Rows travel as one JSON parameter (a statement takes 100), as arrays in the order of the columns.
 * MATERIALIZED makes SQLite parse each element once; without it, it does so for every column, which halves
 * the speed.
 */
const FIELDS = Object.entries(getTableColumns(runs)) as [keyof RunRow, { name: string }][];
const NAMES = FIELDS.map(([, column]) => column.name);
/** Columns that never change after a run's first row are not updated, and so their indexes are not either. */
const FIXED = new Set(["id", "environment_key", "task", "queue", "created_at"]);

const raw = (parts: string[]): SQL => sql.raw(parts.join(", "));

/** A statement as SQLite takes it. */
export interface Statement {
  sql: string;
  params: (string | number)[];
}

/**
 * A statement whose text is made once, when it is first needed: its builder takes longer than SQLite takes for a row. `build` is
 * given something to put where the parameters go, in order.
 */
function prepared(build: () => SQL): (...params: Statement["params"]) => Statement {
  let text: string | undefined;
  return (...params) => {
    text ??= new SQLiteAsyncDialect().sqlToQuery(build()).sql;
    return { sql: text, params };
  };
}

/** Where a parameter goes. */
const PARAMETER = sql`${""}`;

/** Returns the statements that store these rows, for one transaction. */
export function sqliteUpsert(given: RunRow[]): Statement[] {
  const rows = newestOfEach(given);
  const encoded = rows.map((row) => FIELDS.map(([field]) => row[field]));
  return [
    ...countFacts(rows),
    ...jsonChunks(errorFactsOf(rows)).flatMap((json) => [insertGroups(json), insertCounts(json)]),
    ...jsonChunks(encoded).map((json) => upsertRows(json)),
    ...jsonChunks(tagsOf(rows)).map((json) => insertTags(json)),
    ...prunings(rows),
  ];
}

const upsertRows = prepared(() => {
  const changes = raw(NAMES.filter((name) => !FIXED.has(name)).map((name) => `${name} = excluded.${name}`));
  // Without `WHERE true`, the parser would treat ON CONFLICT as part of a join.
  return sql`WITH given AS MATERIALIZED (SELECT value FROM json_each(${PARAMETER}))
    INSERT INTO runs (${raw(NAMES)}) SELECT ${raw(NAMES.map((_, index) => `value ->> ${index}`))} FROM given WHERE true
    ON CONFLICT (id) DO UPDATE SET ${changes} WHERE ${IS_REPLACED}`;
});

const insertTags = prepared(
  () => sql`WITH given AS MATERIALIZED (SELECT value FROM json_each(${PARAMETER}))
    INSERT INTO run_tags (environment_key, tag, created_at, run_id)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM given WHERE true
    ON CONFLICT DO NOTHING`,
);

/** One look-up for each run, and one group of counts for all facts that are alike. */
function countFacts(rows: RunRow[]): Statement[] {
  if (rows.length === 0) return [];
  const facts = groupedFactsOf(rows);
  const [runsJson, groupsJson] = [storableJson(facts.runs), storableJson(facts.groups)];
  if (rows.length > 1 && !(isShort(runsJson) && isShort(groupsJson))) {
    const middle = rows.length >> 1;
    return [...countFacts(rows.slice(0, middle)), ...countFacts(rows.slice(middle))];
  }
  return [insertFacts(runsJson, groupsJson)];
}

const insertFacts = prepared(
  () => sql`WITH given AS MATERIALIZED (
    SELECT value ->> 0 AS id, value ->> 1 AS version, value ->> 2 AS created, value ->> 3 AS started, value ->> 4 AS ended,
      value ->> 5 AS usage_ms FROM json_each(${PARAMETER})),
  fresh AS MATERIALIZED (
    SELECT CASE WHEN runs.id IS NULL THEN created END AS created,
      CASE WHEN runs.id IS NULL OR (runs.version < given.version AND runs.started_at IS NULL) THEN started END AS started,
      CASE WHEN runs.id IS NULL OR (runs.version < given.version AND runs.completed_at IS NULL) THEN ended END AS ended,
      given.usage_ms
    FROM given LEFT JOIN runs ON runs.id = given.id),
  facts AS (
    SELECT created AS of_group, 0 AS usage_ms FROM fresh WHERE created IS NOT NULL
    UNION ALL SELECT started, 0 FROM fresh WHERE started IS NOT NULL
    UNION ALL SELECT ended, usage_ms FROM fresh WHERE ended IS NOT NULL),
  sums AS MATERIALIZED (SELECT of_group, count(*) AS n, sum(usage_ms) AS usage_ms FROM facts GROUP BY of_group),
  counted AS MATERIALIZED (
    SELECT value ->> 0 AS kind, value ->> 1 AS environment_key, value ->> 2 AS task, value ->> 3 AS queue, value ->> 4 AS machine,
      value ->> 5 AS minute, value ->> 6 AS counted_as, value ->> 7 AS time_class, n, usage_ms
    FROM json_each(${PARAMETER}) AS groups CROSS JOIN sums ON of_group = groups.key)
  ${insertRollups(sql`counted`)}`,
);

/** Errors that were not counted before. */
const freshErrors = (): SQL => sql`
    WITH given AS MATERIALIZED (SELECT value FROM json_each(${PARAMETER})),
    fresh AS MATERIALIZED (
      SELECT value ->> 2 AS environment_key, value ->> 3 AS fingerprint, value ->> 4 AS task, value ->> 5 AS name,
        value ->> 6 AS message, value ->> 7 AS at, value ->> 8 AS hour, value ->> 9 AS minute, value ->> 10 AS deployment
      FROM given LEFT JOIN runs ON runs.id = value ->> 0
      WHERE ${IS_NEW_ERROR(sql`value ->> 1`)})`;

const insertGroups = prepared(() => sql`${freshErrors()} ${insertErrorGroups(sql`fresh`, "max", "min")}`);
const insertCounts = prepared(() => sql`${freshErrors()} ${insertErrorCounts(sql`fresh`)}`);

/** The maximum number of rollups that one statement deletes, which is more than a call adds. */
const PRUNED = 200;

/** Deletes minutes that are not shown any more, for the environments of these rows. */
function prunings(rows: RunRow[]): Statement[] {
  const before = Date.now() - MINUTES_KEPT_MS;
  return [...new Set(rows.map((row) => row.environmentKey))].map((environmentKey) =>
    prune(environmentKey, before),
  );
}

const prune = prepared(
  () => sql`DELETE FROM run_rollups WHERE (environment_key, step, time, task, queue, machine) IN (
      SELECT environment_key, step, time, task, queue, machine FROM run_rollups
      WHERE environment_key = ${PARAMETER} AND step = ${sql.raw(String(MINUTE_MS))} AND time < ${PARAMETER} LIMIT ${sql.raw(String(PRUNED))})`,
);
