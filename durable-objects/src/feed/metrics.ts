import { type LogBatch, type MetricPoint, TELEMETRY_LIMITS } from "@acme/sdk/contract";
import type { Sql } from "../lib/sql.ts";
import { noteBatch } from "./batches.ts";

/** Stores metric points, each batch once. Only the latest points since the time `since` are kept. */
export function appendMetrics(
  sql: Sql,
  points: MetricPoint[],
  batch: LogBatch | undefined,
  since: number,
  limit: number = TELEMETRY_LIMITS.metricPoints,
): void {
  sql.transaction(() => {
    // Log lines of the same batch are recorded under the sender's own name.
    if (batch && !noteBatch(sql, { ...batch, sender: `${batch.sender} metrics` }, 0).isNew) return;
    for (const point of points) {
      sql.exec(
        "INSERT INTO metrics (name, time, body) VALUES (?, ?, ?)",
        point.name,
        point.time,
        JSON.stringify(point),
      );
    }
    sql.exec("DELETE FROM metrics WHERE seq <= (SELECT max(seq) FROM metrics) - ?", limit);
    sql.exec("DELETE FROM metrics WHERE time < ?", since);
  });
}

/** Returns the points of a metric in the order of their times. */
export function listMetrics(
  sql: Sql,
  name: string,
  { from, to, limit }: { from: number; to: number; limit: number },
): MetricPoint[] {
  const rows = sql.exec<{ body: string }>(
    "SELECT body FROM metrics WHERE name = ? AND time >= ? AND time <= ? ORDER BY time, seq LIMIT ? + 0",
    name,
    from,
    to,
    limit,
  );
  return rows.map(({ body }) => JSON.parse(body) as MetricPoint);
}

/** Returns the names of the metrics that have points. */
export const metricNames = (sql: Sql): string[] =>
  sql
    .exec<{ name: string }>("SELECT DISTINCT name FROM metrics ORDER BY name LIMIT 1000")
    .map(({ name }) => name);
