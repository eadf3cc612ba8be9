import { queryOptions } from "@tanstack/svelte-query";
import type { EnvironmentApi, RunMetrics } from "../api/environment-api.ts";
import { failedOf } from "../metrics/series.ts";

/** The maximum number of tasks in one response. */
const GROUPS = 10;
/** The tasks that are asked for: the first of the list. */
const MOST_TASKS = 100;
const REFRESH_MS = 30_000;

/** What became of a task's runs within the last 24 hours. */
export interface TaskMetrics {
  /** Runs that ended, and those of them that failed, in each hour. */
  ended: number[];
  failed: number[];
  total: RunMetrics;
}

/** By the tasks' ids. Tasks without a run are absent. */
export const taskMetricsQuery = (api: EnvironmentApi, tasks: readonly string[]) =>
  queryOptions({
    queryKey: [api.id, "task-metrics", tasks],
    queryFn: async ({ signal }): Promise<ReadonlyMap<string, TaskMetrics>> => {
      const asked = tasks.slice(0, MOST_TASKS);
      const answers = await Promise.all(
        Array.from({ length: Math.ceil(asked.length / GROUPS) }, (_, n) =>
          api.runMetrics(
            {
              period: "24h",
              resolution: "1h",
              groupBy: "task",
              // A comma separates two tasks: one with a comma in its id can't be asked for.
              "filter[taskIdentifier]": asked.slice(n * GROUPS, (n + 1) * GROUPS).join(),
            },
            signal,
          ),
        ),
      );
      return new Map(
        answers
          .flatMap(({ groups }) => groups)
          .map(({ key, total, points }) => [
            key,
            { total, ended: points.map(({ ended }) => ended), failed: points.map(failedOf) },
          ]),
      );
    },
    enabled: tasks.length > 0,
    refetchInterval: REFRESH_MS,
    placeholderData: (before) => before,
  });
