import { type SQL, sql } from "drizzle-orm";
import { COUNT_COLUMNS, classColumns, ENDED_COLUMNS, ROLLUP_STEPS, SUM_COLUMNS } from "./rollup-columns.ts";

/**
 * The parts of the statements counting facts of runs (`run-facts.ts`) that both databases share. They run
 * before the rows are stored, in the same transaction, and check which facts the stored rows have already.
 */

const list = (parts: readonly string[]): SQL => sql.raw(parts.join(", "));

const KEY = ["environment_key", "step", "time", "task", "queue", "machine"] as const;
const ENDED = Object.values(ENDED_COLUMNS)
  .map((name) => `'${name}'`)
  .join(", ");

const countOf = (condition: string): string => `sum(CASE WHEN ${condition} THEN n ELSE 0 END)`;

/** Each column of a rollup, from facts that are grouped and counted (`n`). */
const SUMS: readonly string[] = [
  ...COUNT_COLUMNS.map((name) =>
    countOf(name === "finished" ? `kind = 'ended' AND time_class >= 0` : `counted_as = '${name}'`),
  ),
  ...classColumns("delay").map((_, index) => countOf(`counted_as = 'started' AND time_class = ${index}`)),
  ...classColumns("duration").map((_, index) =>
    countOf(`counted_as IN (${ENDED}) AND time_class = ${index}`),
  ),
  "sum(usage_ms)",
];

/** `counted`: a table of grouped facts with the columns named here, and their number (`n`). */
export const insertRollups = (counted: SQL): SQL => sql`
  INSERT INTO run_rollups (${list([...KEY, ...SUM_COLUMNS])})
  SELECT environment_key, step, minute - minute % step, task, queue, machine, ${list(SUMS)}
  FROM ${counted} AS counted CROSS JOIN (${sql.raw(ROLLUP_STEPS.map((step) => `SELECT ${step} AS step`).join(" UNION ALL "))}) AS steps
  GROUP BY environment_key, step, minute - minute % step, task, queue, machine
  ON CONFLICT (${list(KEY)}) DO UPDATE SET ${list(SUM_COLUMNS.map((name) => `${name} = run_rollups.${name} + excluded.${name}`))}`;

/** Facts of kinds that the stored row does not have. */
export const IS_NEW_FACT = (
  version: SQL,
  kind: SQL,
): SQL => sql`(runs.id IS NULL OR (runs.version < ${version} AND CASE ${kind}
    WHEN 'started' THEN runs.started_at IS NULL WHEN 'ended' THEN runs.completed_at IS NULL ELSE false END))`;

/**
 * Also rows of the same version, if an earlier release stored them without a fingerprint: a rebuild adds it.
 */
export const IS_NEW_ERROR = (version: SQL): SQL =>
  sql`(runs.id IS NULL OR (runs.version <= ${version} AND runs.error_fingerprint IS NULL))`;

/** The condition that the stored row is replaced. */
export const IS_REPLACED = sql.raw(
  "(excluded.version > runs.version OR (excluded.version = runs.version AND runs.error_fingerprint IS NULL AND excluded.error_fingerprint IS NOT NULL))",
);

const COMES_BACK = `(error_groups.status = 'resolved' AND CASE
      WHEN error_groups.resolved_in_version IS NULL OR excluded.last_version = '' THEN excluded.last_seen > error_groups.resolved_at
      ELSE excluded.last_version > error_groups.resolved_in_version END)
    OR (error_groups.status = 'ignored' AND (excluded.last_seen >= error_groups.ignored_until
      OR error_groups.count + excluded.count >= error_groups.ignored_until_count
      OR (excluded.minute_count + CASE WHEN error_groups.minute = excluded.minute THEN error_groups.minute_count ELSE 0 END)
        > error_groups.ignored_until_rate))`;

/**
 * `fresh`: errors that were not counted before. `most` and `least` are the database's maximum and minimum of
 * two values.
 */
export const insertErrorGroups = (fresh: SQL, most: string, least: string): SQL => sql`
  INSERT INTO error_groups (environment_key, fingerprint, task, name, message, first_seen, last_seen, count, last_version,
    status, minute, minute_count)
  SELECT environment_key, fingerprint, min(task), min(name), max(message), min(at), max(at), count(*), max(deployment),
    'unresolved', max(minute), count(*)
  FROM ${fresh} AS fresh GROUP BY environment_key, fingerprint
  ON CONFLICT (environment_key, fingerprint) DO UPDATE SET ${sql.raw(`
    message = ${most}(error_groups.message, excluded.message),
    first_seen = ${least}(error_groups.first_seen, excluded.first_seen),
    last_seen = ${most}(error_groups.last_seen, excluded.last_seen),
    count = error_groups.count + excluded.count,
    last_version = ${most}(error_groups.last_version, excluded.last_version),
    status = CASE WHEN ${COMES_BACK} THEN 'unresolved' ELSE error_groups.status END,
    reopened_at = CASE WHEN ${COMES_BACK} THEN excluded.last_seen ELSE error_groups.reopened_at END,
    minute = ${most}(error_groups.minute, excluded.minute),
    minute_count = CASE WHEN excluded.minute = error_groups.minute THEN error_groups.minute_count + excluded.minute_count
      WHEN excluded.minute > error_groups.minute THEN excluded.minute_count ELSE error_groups.minute_count END`)}`;

export const insertErrorCounts = (fresh: SQL): SQL => sql`
  INSERT INTO error_counts (environment_key, fingerprint, hour, version, count)
  SELECT environment_key, fingerprint, hour, deployment, count(*) FROM ${fresh} AS fresh
  GROUP BY environment_key, fingerprint, hour, deployment
  ON CONFLICT (environment_key, fingerprint, hour, version) DO UPDATE SET count = error_counts.count + excluded.count`;
