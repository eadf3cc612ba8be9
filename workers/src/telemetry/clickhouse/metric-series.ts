import type { MetricQuery, MetricSeries } from "../store.ts";
import { storedForms } from "./attributes.ts";
import type { Conditions } from "./search.ts";
import { toDateTime } from "./times.ts";

const MINUTE_MS = 60_000;
/** The maximum number of points of all series together. */
const MAX_POINTS = 20_000;

export interface SeriesRow {
  group: string;
  unit: string;
  time: number;
  min: number;
  max: number;
  sum: number;
  count: number;
  last: number;
}

/**
 * Returns the statement for a metric's series. Steps of whole minutes over all runs are read from the sums by
 * minute, others from the points.
 */
export function metricStatement(
  environment: string,
  query: MetricQuery,
): { sql: string; params: Record<string, unknown> } {
  const byMinute = query.runId === undefined && query.step % MINUTE_MS === 0;
  const { sql, params } = conditionsOf(environment, query, byMinute ? "minute" : "time");
  const ms = byMinute ? "toUnixTimestamp(minute) * 1000" : "toUnixTimestamp64Milli(time)";
  const [min, max, sum, count, last] = byMinute
    ? ["min(min)", "max(max)", "sum(sum)", "sum(count)", "argMaxMerge(last)"]
    : ["min(value)", "max(value)", "sum(value)", "count()", "argMax(value, time)"];
  // The inner aliases must not equal column names, because they would replace the columns in the expressions.
  return {
    sql: `SELECT g AS "group", u AS unit, t AS time, a AS min, b AS max, c AS sum, d AS count, e AS last FROM (
      SELECT ${query.groupBy === undefined ? "''" : "attributes[{groupBy:String}]"} AS g, any(unit) AS u,
        intDiv(${ms}, {step:UInt64}) * {step:UInt64} AS t,
        ${min} AS a, ${max} AS b, ${sum} AS c, ${count} AS d, ${last} AS e
      FROM ${byMinute ? "metric_minutes" : "metrics FINAL"}
      WHERE ${sql.join(" AND ")}
      GROUP BY g, t ORDER BY g, t LIMIT ${MAX_POINTS})`,
    params: {
      ...params,
      step: query.step,
      ...(query.groupBy === undefined ? {} : { groupBy: query.groupBy }),
    },
  };
}

function conditionsOf(environment: string, query: MetricQuery, time: "minute" | "time"): Conditions {
  const sql = [
    "environment_key = {environment:String}",
    "name = {name:String}",
    `${time} >= {from:DateTime64(6, 'UTC')}`,
    `${time} <= {to:DateTime64(6, 'UTC')}`,
  ];
  const from = time === "minute" ? Math.floor(query.from / MINUTE_MS) * MINUTE_MS : query.from;
  const params: Record<string, unknown> = {
    environment,
    name: query.name,
    from: toDateTime(from),
    to: toDateTime(query.to),
  };
  if (query.runId !== undefined) {
    sql.push("run_id = {runId:String}");
    params.runId = query.runId;
  }
  for (const [index, { name, value }] of (query.attributes ?? []).entries()) {
    sql.push(`attributes[{name${index}:String}] IN {values${index}:Array(String)}`);
    params[`name${index}`] = name;
    params[`values${index}`] = storedForms(value);
  }
  return { sql, params };
}

export function seriesOf(rows: SeriesRow[]): MetricSeries[] {
  const series = new Map<string, MetricSeries>();
  for (const { group, unit, ...point } of rows) {
    const known = series.get(group);
    if (known) known.points.push(point);
    else series.set(group, { group, unit, points: [point] });
  }
  return [...series.values()];
}
