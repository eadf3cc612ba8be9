/**
 * Plans of the queries for errors, metrics, usage and alerts: each is a seek in one environment, and none
 * scans a table.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { selectChannels, selectRules } from "../../src/alerts/channels.ts";
import { outcomesOf } from "../../src/alerts/evaluate.ts";
import {
  selectError,
  selectErrorCounts,
  selectErrors,
  selectErrorVersions,
} from "../../src/errors/error-queries.ts";
import { runCounts } from "../../src/health/run-counts.ts";
import { countInProgress, selectRollups, selectUsage } from "../../src/metrics/metric-queries.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/storage/rollup-columns.ts";
import type { SqlConnection } from "../../src/storage/sql-connection.ts";
import { openPostgresPlans } from "./node-postgres.ts";
import { openNodeSqlite } from "./node-sqlite.ts";

const ENV = "env00001";
const PRINT = "a".repeat(16);
const span = { from: 0, to: 100 * HOUR_MS, resolution: HOUR_MS, step: HOUR_MS };
const range = { from: 0, to: 100 * HOUR_MS };
const last = { sort: "lastSeen", limit: 10 } as const;

type Ask = (connection: SqlConnection) => PromiseLike<unknown> | unknown;

/** The queries, each with the table of which it may read one environment's part. */
const QUESTIONS: [string, string, Ask][] = [
  ["errors, the latest first", "error_groups", (c) => selectErrors(c, ENV, {}, last, 1)],
  ["the next page of errors", "error_groups", (c) => selectErrors(c, ENV, {}, { ...last, after: PRINT }, 1)],
  ["the previous page", "error_groups", (c) => selectErrors(c, ENV, {}, { ...last, before: PRINT }, 1)],
  [
    "errors of a time, by how often they were seen",
    "error_counts",
    (c) => selectErrors(c, ENV, { from: HOUR_MS, to: 2 * HOUR_MS }, { sort: "count", limit: 10 }, 1),
  ],
  [
    "errors of tasks and states",
    "error_groups",
    (c) => selectErrors(c, ENV, { tasks: ["a"], statuses: ["ignored"] }, last, 1),
  ],
  ["an error", "error_groups", (c) => selectError(c, ENV, PRINT)],
  ["counts of errors by hour", "error_counts", (c) => selectErrorCounts(c, ENV, [PRINT], 0, HOUR_MS)],
  ["versions of an error", "error_counts", (c) => selectErrorVersions(c, ENV, PRINT, 5)],
  ["runs over time", "run_rollups", (c) => selectRollups(c, ENV, {}, span)],
  ["runs of tasks over time", "run_rollups", (c) => selectRollups(c, ENV, { tasks: ["a"] }, span)],
  [
    "runs over time by queue",
    "run_rollups",
    (c) => selectRollups(c, ENV, {}, span, { by: "queue", most: 10 }),
  ],
  ["runs in progress", "runs", (c) => countInProgress(c, ENV, {})],
  ["runs in progress by task", "runs", (c) => countInProgress(c, ENV, {}, "task")],
  ["usage by day", "run_rollups", (c) => selectUsage(c, [ENV], range, "day")],
  [
    "usage of several environments",
    "run_rollups",
    (c) => selectUsage(c, [ENV, "env00002"], range, "environment"),
  ],
  [
    "how runs ended lately, for an alert",
    "run_rollups",
    (c) => outcomesOf(c, ENV, undefined, 5, 10 * MINUTE_MS),
  ],
  ["how runs of tasks ended lately", "run_rollups", (c) => outcomesOf(c, ENV, ["a"], 5, 10 * MINUTE_MS)],
  ["rules of alerts", "alert_rules", (c) => selectRules(c, ENV)],
  ["channels of alerts", "alert_channels", (c) => selectChannels(c, ENV)],
  [
    "the last minutes of all environments, for the server's metrics",
    "run_rollups",
    (c) => runCounts(c, 10 * MINUTE_MS),
  ],
];

describe("on SQLite", () => {
  let sqlite: ReturnType<typeof openNodeSqlite>;
  beforeAll(() => {
    sqlite = openNodeSqlite();
  });

  it.each(QUESTIONS)("%s: a seek in %s", async (_what, table, ask) => {
    sqlite.plans();
    await ask(sqlite.connection);
    const plans = sqlite.plans();
    expect(plans.length).toBeGreaterThan(0);
    for (const plan of plans) {
      expect(plan).toMatch(new RegExp(`SEARCH ${table} USING .*\\(environment_key=\\?`));
      expect(plan).not.toMatch(
        /SCAN (error_groups|error_counts|run_rollups|runs|alert_rules|alert_channels)\b/,
      );
    }
  });
});

describe("on Postgres", () => {
  let postgres: ReturnType<typeof openPostgresPlans>;
  let found: string[][];
  beforeAll(async () => {
    postgres = openPostgresPlans(inject("postgresUrl"));
    found = await postgres.plans(
      QUESTIONS.map(
        ([, , ask]) =>
          () =>
            ask(postgres.connection),
      ),
    );
  });
  afterAll(() => postgres?.end());

  it.each(QUESTIONS.map(([what, table], at) => [what, table, at] as const))(
    "%s: a seek in %s",
    async (_what, table, at) => {
      const plans = found[at] ?? [];
      expect(plans.length).toBeGreaterThan(0);
      for (const plan of plans) {
        expect(plan).toMatch(
          new RegExp(`Index (Only )?Scan .*on ${table}\\b[^\\n]*\\n\\s+Index Cond: \\(+.*environment_key`),
        );
        expect(plan).not.toMatch(
          /Seq Scan on (error_groups|error_counts|run_rollups|runs|alert_rules|alert_channels)\b/,
        );
      }
    },
  );
});
