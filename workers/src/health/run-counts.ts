import { and, eq, gte, lt, sql } from "drizzle-orm";
import { ENDED_COLUMNS, MINUTE_MS } from "../storage/rollup-columns.ts";
import { stepOf } from "../storage/run-facts.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";

const WINDOW_MINUTES = 5;

/** How runs of all environments went in the last five whole minutes: one seek of an index for each environment. */
export async function runCounts({ db, tables, provider }: SqlConnection, now: number) {
  const { runRollups, environments } = tables;
  const to = stepOf(now, MINUTE_MS);
  const keys = db.select({ key: environments.key }).from(environments);
  const sum = (column: string) => sql<number>`coalesce(sum(${sql.raw(column)}), 0)`.mapWith(Number);
  const ended = Object.fromEntries(Object.values(ENDED_COLUMNS).map((column) => [column, sum(column)]));
  const rows = await db
    .select({ created: sum("created"), started: sum("started"), usageMs: sum("usage_ms"), ended })
    .from(runRollups)
    .where(
      and(
        // Postgres would join the two, and read the counts of all times for it.
        provider === "pg"
          ? sql`${runRollups.environmentKey} = ANY(ARRAY(${keys}))`
          : sql`${runRollups.environmentKey} IN (${keys})`,
        eq(runRollups.step, MINUTE_MS),
        gte(runRollups.time, to - WINDOW_MINUTES * MINUTE_MS),
        lt(runRollups.time, to),
      ),
    );
  return rows[0];
}
