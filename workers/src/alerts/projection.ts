import { objectOf } from "@acme/durable-objects/routing";
import type { RunProjection, RunRow } from "@acme/durable-objects/rpc";
import type { Bindings } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { openRepository } from "../storage/open.ts";
import type { AlertsRpc, FailedRun } from "./rpc.ts";

export const alertsOf = (env: Bindings, environmentKey: string): AlertsRpc =>
  objectOf(env, "ALERTS", env.ALERTS, environmentKey);

/** A rebuild of the query side sends rows of runs that failed long ago, for which no alert is given. */
const RECENT_MS = 3_600_000;

/** Caches whether environments have rules about failures. A new rule takes effect after this time at most. */
const wanted = new Cache<boolean>(10_000);

export const forgetWanted = (environmentKey: string): void => wanted.delete(environmentKey);

/**
 * Stores rows on the query side and then reports failed runs to the environment's alerts. If those can't be
 * reached, the rows count as not sent and are sent again: so each failure is reported at least once, outside
 * of the run's own path.
 */
export function alertingProjection(env: Bindings): RunProjection {
  const repository = openRepository(env);
  return {
    async upsertRuns(rows: RunRow[]): Promise<void> {
      await repository.upsertRuns(rows);
      const since = Date.now() - RECENT_MS;
      const failed = rows.filter(
        ({ errorFingerprint, completedAt }) => errorFingerprint !== null && (completedAt ?? 0) >= since,
      );
      const byEnvironment = Map.groupBy(failed, ({ environmentKey }) => environmentKey);
      for (const [environmentKey, own] of byEnvironment) {
        const alerts = alertsOf(env, environmentKey);
        if (!(await wanted.through(environmentKey, () => alerts.wantsFailures()))) continue;
        await alerts.runsFailed(environmentKey, own.map(failedRunOf));
      }
    },
  };
}

const failedRunOf = ({ id, task, errorFingerprint, completedAt }: RunRow): FailedRun => ({
  runId: id,
  task,
  fingerprint: errorFingerprint ?? "",
  at: completedAt ?? 0,
});
