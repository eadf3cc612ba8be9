import type { RunProjection } from "@acme/durable-objects/rpc";
import type { Bindings } from "../../bindings.ts";
import { retentionDaysOf } from "../retention.ts";
import { hasClickHouse, openClickHouse } from "./client.ts";
import { tableRow } from "./run-row.ts";

/**
 * Returns the table of runs in ClickHouse, or null if there is none. Queues send it the same rows as the
 * query side with a separate cursor: rows that one can't accept now wait in the queue, without delaying the
 * other.
 */
export function openRunsTable(env: Bindings): RunProjection | null {
  if (!hasClickHouse(env)) return null;
  return {
    async upsertRuns(rows) {
      const environments = [...new Set(rows.map(({ environmentKey }) => environmentKey))];
      const days = new Map(
        await Promise.all(environments.map(async (key) => [key, await retentionDaysOf(env, key)] as const)),
      );
      await openClickHouse(env).client.insert({
        table: "runs",
        format: "JSONEachRow",
        values: rows.map((row) => tableRow(row, days.get(row.environmentKey) as number)),
        // The version in each row decides which one counts, so inserting a row twice does no harm.
        clickhouse_settings: { async_insert: 1, wait_for_async_insert: 1 },
      });
    },
  };
}
