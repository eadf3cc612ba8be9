import type { QueueMetricsPoint } from "@acme/sdk/contract/api";
import { and, eq, gte, sql } from "drizzle-orm";
import { MINUTE_MS } from "../storage/rollup-columns.ts";
import { stepOf } from "../storage/run-facts.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { isOneOf } from "../storage/sql-lists.ts";

export interface Outcomes {
  failed: number;
  /** Runs that succeeded or failed. */
  judged: number;
}

/** How runs ended within the last minutes. */
export async function outcomesOf(
  connection: SqlConnection,
  environmentKey: string,
  tasks: string[] | undefined,
  windowMinutes: number,
  now: number,
): Promise<Outcomes> {
  const { runRollups } = connection.tables;
  const failed = sql`${runRollups.failed} + ${runRollups.crashed} + ${runRollups.system_failure} + ${runRollups.timed_out}`;
  const rows = await connection.db
    .select({
      failed: sql<number>`coalesce(sum(${failed}), 0)`.mapWith(Number),
      judged: sql<number>`coalesce(sum(${failed} + ${runRollups.completed}), 0)`.mapWith(Number),
    })
    .from(runRollups)
    .where(
      and(
        eq(runRollups.environmentKey, environmentKey),
        eq(runRollups.step, MINUTE_MS),
        gte(runRollups.time, stepOf(now, MINUTE_MS) - (windowMinutes - 1) * MINUTE_MS),
        tasks && isOneOf(connection, runRollups.task, tasks),
      ),
    );
  return rows[0] ?? { failed: 0, judged: 0 };
}

type Threshold = { windowMinutes: number } & (
  | { failures: number }
  | { percent: number; minimumRuns: number }
);

export const isOver = (threshold: Threshold, { failed, judged }: Outcomes): boolean =>
  "failures" in threshold
    ? failed >= threshold.failures
    : judged >= threshold.minimumRuns && failed > 0 && (100 * failed) / judged >= threshold.percent;

/** Minutes that have to be looked at to know that runs waited for so long: the first and the last of them are not whole. */
export const minutesOfWait = (delaySeconds: number): number => Math.ceil(delaySeconds / 60) + 2;

/** Whether runs waited in each of these minutes and none started: of a queue that is stuck there are no delays to measure. */
export const isStuck = (points: Pick<QueueMetricsPoint, "queued" | "started">[]): boolean =>
  points.length > 0 && points.every(({ queued, started }) => queued > 0 && started === 0);
