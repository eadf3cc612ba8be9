import {
  MetricsQuery,
  type MetricsResponse,
  MOST_METRIC_GROUPS,
  type OrganizationUsageResponse,
  UsageQuery,
  type UsageResponse,
} from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { invalid } from "../http/failure.ts";
import { countInProgress, selectRollups, selectUsage, type UsedRow } from "../metrics/metric-queries.ts";
import { groupsOf, seriesOf } from "../metrics/metrics-view.ts";
import { timeSpanOf, usageRangeOf } from "../metrics/time-span.ts";
import { costliestFirst, usedBy, usedOf } from "../metrics/usage-view.ts";
import { selectEnvironments } from "../storage/select-environments.ts";
import { openSql } from "../storage/sql-connection.ts";
import { isoTime } from "../views/time.ts";

/** The maximum number of tasks in a response. */
const MOST_TASKS = 100;

/**
 * Routes for what happened to runs over time and what they used, from the counts that are kept with the rows
 * of runs.
 */
export const metricsRoutes = new Hono<App>()
  .get("/api/v1/metrics/runs", access("getRunMetrics"), async (c) => {
    const query = MetricsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { groupBy } = query.data;
    const { key } = c.var.environment;
    const span = timeSpanOf(query.data, Date.now());
    const filter = {
      tasks: query.data["filter[taskIdentifier]"],
      queues: query.data["filter[queue]"],
      machines: query.data["filter[machine]"],
    };
    const connection = openSql(c.env);
    const most = MOST_METRIC_GROUPS;
    const [steps, running, grouped, runningOfGroups] = await Promise.all([
      selectRollups(connection, key, filter, span),
      countInProgress(connection, key, filter),
      groupBy ? selectRollups(connection, key, filter, span, { by: groupBy, most }) : [],
      groupBy ? countInProgress(connection, key, filter, groupBy) : new Map<string, number>(),
    ]);
    const answer: MetricsResponse = {
      from: isoTime(span.from),
      to: isoTime(span.to),
      resolutionMinutes: span.resolution / 60_000,
      ...seriesOf(steps, span, running.get("") ?? 0),
      groups: groupsOf(grouped, span, runningOfGroups),
    };
    return c.json(answer);
  })
  .get("/api/v1/usage", access("getUsage"), async (c) => {
    const query = UsageQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const range = usageRangeOf(query.data, Date.now());
    const connection = openSql(c.env);
    const keys = [c.var.environment.key];
    const [days, tasks] = await Promise.all([
      selectUsage(connection, keys, range, "day"),
      selectUsage(connection, keys, range, "task"),
    ]);
    const answer: UsageResponse = {
      ...sharedUsage(days, range),
      tasks: usedBy(tasks, "key")
        .sort(costliestFirst)
        .slice(0, MOST_TASKS)
        .map(({ name, ...used }) => ({ taskIdentifier: name, ...used })),
    };
    return c.json(answer);
  })
  .get("/api/v1/organizations/:organization/usage", access("getOrganizationUsage"), async (c) => {
    const query = UsageQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const range = usageRangeOf(query.data, Date.now());
    const connection = openSql(c.env);
    const { organizations } = connection.tables;
    // Deleted projects count too.
    const environments = await selectEnvironments(connection).where(
      eq(organizations.id, c.var.member.organization.id),
    );
    const keys = environments.map(({ key }) => key);
    const [days, used] = await Promise.all([
      selectUsage(connection, keys, range, "day"),
      selectUsage(connection, keys, range, "environment"),
    ]);
    const byKey = new Map(environments.map((environment) => [environment.key, environment]));
    const answer: OrganizationUsageResponse = {
      ...sharedUsage(days, range),
      environments: usedBy(used, "key")
        .sort(costliestFirst)
        .flatMap(({ name, ...used }) => {
          const environment = byKey.get(name);
          if (!environment) return [];
          const { ref, name: projectName } = environment.project;
          return [{ project: { ref, name: projectName }, environment: environment.slug, ...used }];
        }),
    };
    return c.json(answer);
  });

function sharedUsage(days: UsedRow[], range: { from: number; to: number }) {
  return {
    from: isoTime(range.from),
    to: isoTime(range.to),
    total: usedOf(days),
    machines: usedBy(days, "machine")
      .sort(costliestFirst)
      .map(({ name, ...used }) => ({ machine: name, ...used })),
    days: usedBy(days, "key")
      .sort((a, b) => Number(a.name) - Number(b.name))
      .map(({ name, ...used }) => ({ day: isoTime(Number(name)).slice(0, 10), ...used })),
  };
}
