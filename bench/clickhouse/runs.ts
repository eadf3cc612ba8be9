/**
 * Lists and charts of many runs, from the query side and from ClickHouse:
 * `node bench/clickhouse/runs.ts [--runs N] [--rounds N]`. The same runs of 30 days are in SQLite (through
 * the repository, as in the object of a one-machine server) and in ClickHouse (through the table of runs),
 * and each query is run on the two in turn.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { RunRow } from "@acme/durable-objects/rpc";
import { ClickHouseLogLevel, createClient } from "@clickhouse/client-web";
import { startClickhouse } from "../../scripts/clickhouse/start.ts";
import { clickhouseAddress, migrate } from "../../server/src/clickhouse.ts";
import { countInProgress, selectRollups } from "../../workers/src/metrics/metric-queries.ts";
import { HOUR_MS, MINUTE_MS } from "../../workers/src/storage/rollup-columns.ts";
import { tableRow } from "../../workers/src/telemetry/clickhouse/run-row.ts";
import { aRun } from "../../workers/test/storage/a-run.ts";
import { openNodeSqlite } from "../../workers/test/storage/node-sqlite.ts";
import { median, percentile } from "../statistics.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "1000000" }, rounds: { type: "string", default: "9" } },
});
const RUNS = Number(values.runs);
const ROUNDS = Number(values.rounds);
const ENVIRONMENT = "benchenv";
const DAYS = 30;
const NOW = Date.now();
const CALL = 1_000;
const TASKS = 20;

/** Two runs in a hundred have failed; one in ten thousand is in a separate queue. */
function runOf(n: number): RunRow {
  const createdAt = NOW - DAYS * 24 * HOUR_MS + Math.floor((n * DAYS * 24 * HOUR_MS) / RUNS);
  const failed = n % 50 === 7;
  const task = `task-${n % TASKS}`;
  return aRun(ENVIRONMENT, {
    createdAt,
    task,
    queue: n % 10_000 === 3 ? "rare" : `task/${task}`,
    status: failed ? "COMPLETED_WITH_ERRORS" : "COMPLETED_SUCCESSFULLY",
    version: 4,
    attempts: 1,
    startedAt: createdAt + (n % 400),
    completedAt: createdAt + (n % 400) + (n % 9_000),
    updatedAt: createdAt + (n % 400) + (n % 9_000),
    usageMs: n % 9_000,
    tags: [`customer:${n % 5_000}`],
    ...(failed ? { errorMessage: "boom", errorName: "Error", errorFingerprint: "00000000000000aa" } : {}),
  });
}

const folder = mkdtempSync(join(tmpdir(), "acme-bench-runs-"));
const path = join(folder, "runs.sqlite");
const { repository, connection, database, plans } = openNodeSqlite(path);
// Filling the database is not measured.
database.exec("PRAGMA synchronous = OFF");
const server = await startClickhouse({ data: join(folder, "clickhouse") });
try {
  await migrate(clickhouseAddress(server.url));
  const client = createClient({
    url: server.url,
    database: "acme",
    request_timeout: 120_000,
    keep_alive: { enabled: false },
    log: { level: ClickHouseLogLevel.OFF },
  });
  const spent = { sqlite: 0, clickhouse: 0 };
  for (let from = 0; from < RUNS; from += CALL * 50) {
    const rows = Array.from({ length: Math.min(CALL * 50, RUNS - from) }, (_, n) => runOf(from + n));
    let begun = performance.now();
    for (let at = 0; at < rows.length; at += CALL) await repository.upsertRuns(rows.slice(at, at + CALL));
    // Keeps each query in order to explain it.
    database.exec("SELECT 1");
    plans();
    spent.sqlite += performance.now() - begun;
    begun = performance.now();
    await client.insert({
      table: "runs",
      format: "JSONEachRow",
      values: rows.map((row) => tableRow(row, 90)),
    });
    spent.clickhouse += performance.now() - begun;
  }
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  console.log(
    `${RUNS} runs: SQLite ${(spent.sqlite / 1_000).toFixed(0)} s, ${Math.round(statSync(path).size / RUNS)} bytes a run; ClickHouse ${(spent.clickhouse / 1_000).toFixed(0)} s`,
  );

  const select = async (query: string): Promise<number> => {
    const result = await client.query({ query, format: "JSONEachRow" });
    return (await result.json()).length;
  };
  const scope = `environment_key = '${ENVIRONMENT}'`;
  const since = (ms: number) => `fromUnixTimestamp64Milli(${NOW - ms}, 'UTC')`;
  /** What a chart shows: created, started and ended runs by status, percentiles of duration and queue delay, by step. */
  const chart = (ms: number, step: number): string => {
    const at = (column: string) => `intDiv(toUnixTimestamp64Milli(${column}), ${step}) * ${step}`;
    const newest = `(SELECT * FROM runs FINAL WHERE ${scope} AND created_at >= ${since(ms + 24 * HOUR_MS)})`;
    return `SELECT t, sum(created), sum(ended), sum(failed), any(p), any(q) FROM (
      SELECT ${at("created_at")} AS t, count() AS created, 0 AS ended, 0 AS failed, [0.] AS p, [0.] AS q FROM ${newest}
      WHERE created_at >= ${since(ms)} GROUP BY t
      UNION ALL
      SELECT ${at("assumeNotNull(completed_at)")} AS t, 0, count(), countIf(status != 'COMPLETED_SUCCESSFULLY'),
        quantiles(0.5, 0.95, 0.99)(dateDiff('ms', assumeNotNull(started_at), assumeNotNull(completed_at))),
        quantiles(0.5, 0.95, 0.99)(dateDiff('ms', created_at, assumeNotNull(started_at)))
      FROM ${newest} WHERE completed_at >= ${since(ms)} GROUP BY t) GROUP BY t ORDER BY t`;
  };
  const rollups = async (ms: number, resolution: number): Promise<number> => {
    const step = resolution % HOUR_MS === 0 ? HOUR_MS : MINUTE_MS;
    const to = Math.ceil(NOW / resolution) * resolution;
    const from = Math.floor((NOW - ms) / resolution) * resolution;
    const steps = await selectRollups(connection, ENVIRONMENT, {}, { from, to, resolution, step });
    await countInProgress(connection, ENVIRONMENT, {});
    return steps.length;
  };
  const list = (filter: Parameters<typeof repository.listRuns>[1]) => async () =>
    (await repository.listRuns(ENVIRONMENT, filter, { limit: 25 })).runs.length;
  const page = (where: string) => () =>
    select(
      `SELECT id, status, created_at FROM runs FINAL WHERE ${scope} AND ${where} ORDER BY created_at DESC, id DESC LIMIT 26`,
    );
  const day = 24 * HOUR_MS;
  const questions: [string, () => Promise<number>, () => Promise<number>][] = [
    [
      "chart of 6 hours",
      () => rollups(6 * HOUR_MS, 10 * MINUTE_MS),
      () => select(chart(6 * HOUR_MS, 10 * MINUTE_MS)),
    ],
    ["chart of a day", () => rollups(day, HOUR_MS), () => select(chart(day, HOUR_MS))],
    [
      "chart of 30 days",
      () => rollups(DAYS * day, 12 * HOUR_MS),
      () => select(chart(DAYS * day, 12 * HOUR_MS)),
    ],
    ["newest page", list({}), page("1")],
    ["page of a task", list({ tasks: ["task-3"] }), page("task = 'task-3'")],
    [
      "page of failed runs",
      list({ statuses: ["COMPLETED_WITH_ERRORS"] }),
      page("status = 'COMPLETED_WITH_ERRORS'"),
    ],
    ["page of a tag", list({ tags: ["customer:17"] }), page("has(tags, 'customer:17')")],
    ["page of a rare queue", list({ queues: ["rare"] }), page("queue = 'rare'")],
    ["page of a queue without runs", list({ queues: ["none"] }), page("queue = 'none'")],
    [
      "counts by status of all",
      async () => Object.keys(await repository.countRuns(ENVIRONMENT, {})).length,
      () => select(`SELECT status, count() FROM runs FINAL WHERE ${scope} GROUP BY status`),
    ],
  ];
  console.log("| question | SQLite p50, p95 (ms) | ClickHouse p50, p95 (ms) |\n| --- | ---: | ---: |");
  for (const [what, ...both] of questions) {
    const durations: [number[], number[]] = [[], []];
    const found = [0, 0];
    for (let round = 0; round < ROUNDS; round++)
      for (const [which, ask] of both.entries()) {
        const begun = performance.now();
        found[which] = await ask();
        durations[which as 0 | 1].push(performance.now() - begun);
      }
    const [sqlite, clickhouse] = durations.map(
      (all) => `${median(all).toFixed(1)}, ${percentile(all, 0.95).toFixed(1)}`,
    );
    console.log(`| ${what} (${found.join(", ")} rows) | ${sqlite} | ${clickhouse} |`);
  }
  await client.close();
} finally {
  database.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
