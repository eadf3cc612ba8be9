import { env } from "cloudflare:workers";
import type { RunProjection, RunRow } from "@acme/durable-objects/rpc";
import type { QueryResponse } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../../tests/support/until.ts";
import { openRunsTable } from "../../src/telemetry/clickhouse/runs.ts";
import { openTelemetryStore } from "../../src/telemetry/store.ts";
import { type Answer, call, deploy, newProject, type Project } from "../client.ts";
import { finish } from "../host.ts";
import { aRun } from "../storage/a-run.ts";
import { line } from "../telemetry/store-suite.ts";

const MINUTE = 60_000;
const NOW = Math.floor(Date.now() / MINUTE) * MINUTE;

let own: Project;
let other: Project;
/** One project for each group of queries, because an environment may not run too many. */
let spare: Project[];

const run = (environment: string, fields: Partial<RunRow>): RunRow =>
  aRun(environment, { createdAt: NOW - 10 * MINUTE, machine: "small-1x", ...fields });

async function fill({ prodKey }: Project, secret: string): Promise<void> {
  const ended = { queuedAt: NOW - 10 * MINUTE, startedAt: NOW - 9 * MINUTE, completedAt: NOW - 8 * MINUTE };
  await (openRunsTable(env) as RunProjection).upsertRuns([
    run(prodKey, {
      task: "mail",
      status: "COMPLETED_SUCCESSFULLY",
      usageMs: 10_000,
      tags: ["a", "b"],
      ...ended,
    }),
    run(prodKey, { task: "mail", status: "COMPLETED_WITH_ERRORS", errorMessage: secret, ...ended }),
    run(prodKey, { task: "resize", status: "EXECUTING", depth: 1, startedAt: NOW }),
  ]);
  const logs = [
    line({ time: NOW, runId: null, attempt: null, message: secret, properties: { user: "ada" } }),
  ];
  await openTelemetryStore(env).append(prodKey, {
    sender: "q",
    number: 1,
    logs,
    spans: [],
    metrics: [],
  });
}

beforeAll(async () => {
  [own, other, ...spare] = (await Promise.all(Array.from({ length: 9 }, newProject))) as [
    Project,
    Project,
    ...Project[],
  ];
  await Promise.all([
    fill(own, "own secret"),
    fill(other, "secret of another"),
    ...spare.map((project) => fill(project, "own secret")),
  ]);
});

type Body = QueryResponse & { code: string; error: string };

const query = (text: string, options: object = {}, project = own): Promise<Answer<Body>> =>
  call<Body>("POST", "/api/v1/query", project.prod, { query: text, ...options });

async function rows(text: string, options: object = {}, project = own): Promise<unknown> {
  const { status, body } = await query(text, options, project);
  expect(`${status} ${body.error ?? ""}`, text).toBe("200 ");
  return body.results;
}

describe("a query", () => {
  it("groups, counts and computes", async () => {
    expect(
      await rows("SELECT status, count(*) AS runs FROM runs GROUP BY status ORDER BY status; -- the end"),
    ).toEqual([
      { status: "Completed", runs: 1 },
      { status: "Executing", runs: 1 },
      { status: "Failed", runs: 1 },
    ]);
    expect(
      await rows(`SELECT task_identifier, round(avg(execution_duration)) AS ms, quantile(0.95)(execution_duration) AS p95,
        countIf(status = 'Failed') * 100 / count() AS "failure rate" FROM runs
        WHERE is_finished = 1 AND task_identifier IN ('mail') GROUP BY task_identifier`),
    ).toEqual([{ task_identifier: "mail", ms: 60_000, p95: 60_000, "failure rate": 50 }]);
    expect(await rows("SELECT compute_cost, total_cost FROM runs WHERE usage_duration = 10000")).toEqual([
      { compute_cost: expect.closeTo(0.000338, 9), total_cost: expect.closeTo(0.000363, 9) },
    ]);
    expect(
      await rows("SELECT arrayJoin(tags) AS tag, count() AS n FROM runs GROUP BY tag ORDER BY tag"),
    ).toEqual([
      { tag: "a", n: 1 },
      { tag: "b", n: 1 },
    ]);
  });

  it("knows joins, queries in queries, unions, cases, windows and intervals", async () => {
    expect(
      await rows(`WITH failed AS (SELECT run_id, error_message FROM runs WHERE status = 'Failed'),
          counted AS (SELECT count() AS n FROM failed)
        SELECT r.task_identifier AS task, f.error_message AS error_message, (SELECT n FROM counted) AS failures
        FROM runs AS r INNER JOIN failed f ON f.run_id = r.run_id`),
    ).toEqual([{ task: "mail", error_message: "own secret", failures: 1 }]);
    expect(
      await rows(`SELECT 'runs' AS what, count() AS n FROM runs UNION ALL SELECT 'logs', count() FROM logs`),
    ).toEqual(
      expect.arrayContaining([
        { what: "runs", n: 3 },
        { what: "logs", n: 1 },
      ]),
    );
    expect(
      await rows(`SELECT CASE WHEN depth > 0 THEN 'child' ELSE 'root' END AS kind, CAST(count() AS String) AS n, max(depth)::Float64 AS d
        FROM runs WHERE triggered_at > now() - INTERVAL 1 DAY AND run_id IN (SELECT run_id FROM runs)
        GROUP BY kind HAVING n != '9' ORDER BY kind DESC NULLS LAST LIMIT 10 OFFSET 0`),
    ).toEqual([
      { kind: "root", n: "2", d: 0 },
      { kind: "child", n: "1", d: 1 },
    ]);
    expect(
      await rows(`SELECT task_identifier, row_number() OVER (PARTITION BY task_identifier ORDER BY status) AS place FROM runs
        WHERE NOT (status LIKE 'Exec%') AND status NOT IN ('Canceled', 'Expired') AND error_message IS NULL`),
    ).toEqual([{ task_identifier: "mail", place: 1 }]);
    expect(await rows("SELECT attributes['user'] AS u, arrayMap(x -> x + 1, [1, 2]) AS a FROM logs")).toEqual(
      [{ u: "ada", a: [2, 3] }],
    );
    expect(
      await rows("SELECT count() AS n FROM runs a CROSS JOIN (SELECT 1 AS one) b WHERE b.one = 1"),
    ).toEqual([{ n: 3 }]);
  });

  it("reads the requested time, in buckets that fit it", async () => {
    const hour = { from: new Date(NOW - 60 * MINUTE).toISOString(), to: new Date(NOW).toISOString() };
    expect(
      await rows(
        "SELECT timeBucket(), count() AS runs FROM runs GROUP BY timeBucket ORDER BY timeBucket",
        hour,
      ),
    ).toEqual([{ timebucket: new Date(NOW - 10 * MINUTE).toISOString().replace(".000", ""), runs: 3 }]);
    expect(await rows("SELECT count() AS n FROM runs", { period: "1m" })).toEqual([{ n: 0 }]);
    expect(await rows("SELECT count() AS n FROM logs", { period: "1h" })).toEqual([{ n: 1 }]);
  });

  it("answers as CSV, and with the types of its columns", async () => {
    expect(await rows("SELECT task_identifier, depth FROM runs WHERE depth = 1", { format: "csv" })).toBe(
      '"task_identifier","depth"\n"resize",1\n',
    );
    const { body } = await query("SELECT count() AS n FROM runs");
    expect(body).toMatchObject({
      columns: [{ name: "n", type: "UInt64" }],
      statistics: { rowsRead: expect.any(Number) },
    });
    expect((await query("SELECT * FROM runs")).status).toBe(200);
    const schema = await call<{ tables: { name: string; columns: { name: string; type: string }[] }[] }>(
      "GET",
      "/api/v1/query/schema",
      own.prod,
    );
    for (const { name, columns } of schema.body.tables) {
      const all = (await query(`SELECT * FROM ${name}`)).body;
      if (all.format !== "json") throw new Error(all.error);
      expect(all.columns.map((column) => column.name)).toEqual(columns.map((column) => column.name));
    }
  });

  it("keeps strings as they are", async () => {
    const awkward = "it's {scope:String} \\ `x` \n -- /* é";
    const quoted = awkward.replaceAll("\\", "\\\\").replaceAll("'", "''");
    expect(await rows(`SELECT '${quoted}' AS s, "s" AS again`, {}, spare[0])).toEqual([
      { s: awkward, again: awkward },
    ]);
  });
});

/** Attempts to read more than the environment's own rows, or to do something other than reading. */
const ATTACKS: [query: string, says: string][] = [
  ["SELECT * FROM acme.runs", "A table is named alone"],
  ["SELECT * FROM `acme.runs`", "There is no table acme.runs"],
  ["SELECT * FROM system.tables", "A table is named alone"],
  ["SELECT * FROM acme_migrations", "There is no table acme_migrations"],
  ["SELECT * FROM metric_minutes", "There is no table metric_minutes"],
  ["SELECT * FROM url('http://127.0.0.1/', CSV)", "Functions such as url() can't be read from"],
  ["SELECT * FROM file('/etc/passwd')", "Functions such as file() can't be read from"],
  ["SELECT * FROM remote('127.0.0.1', acme.runs)", "Functions such as remote() can't be read from"],
  ["SELECT * FROM numbers(10)", "Functions such as numbers() can't be read from"],
  ["SELECT * FROM merge('acme', '.*')", "Functions such as merge() can't be read from"],
  ["SELECT * FROM runs, cluster('c', acme.runs)", "Functions such as cluster() can't be read from"],
  ["SELECT * FROM runs JOIN acme.logs ON 1 = 1", "A table is named alone"],
  ["SELECT * FROM runs WHERE run_id IN acme.runs", "IN is followed by a list"],
  ["SELECT * FROM runs WHERE run_id IN (metrics)", "The list after IN can only have values"],
  ["SELECT * FROM runs WHERE run_id IN (SELECT id FROM acme.runs)", "A table is named alone"],
  ["SELECT notIn(1, metrics)", "There is no function notIn"],
  ["SELECT in(1, metrics)", "an expression is expected, not IN"],
  ["SELECT globalIn(1, metrics)", "There is no function globalIn"],
  ["SELECT dictGet('d', 'x', 1)", "There is no function dictGet"],
  ["SELECT joinGet('acme.runs', 'id', 1)", "There is no function joinGet"],
  ["SELECT file('/etc/passwd')", "There is no function file"],
  ["SELECT sleep(3)", "There is no function sleep"],
  ["SELECT hostName()", "There is no function hostName"],
  ["SELECT getSetting('max_threads')", "There is no function getSetting"],
  ["SELECT currentUser(), version()", "There is no function currentUser"],
  ["SELECT url.x('a')", "There is no function url.x"],
  ["SELECT * FROM runs SETTINGS readonly = 0", "A query can't have settings"],
  ["SELECT * FROM runs SETTINGS additional_table_filters = {}", "can't be used here"],
  ["SELECT * FROM runs FORMAT Native", "a query can't"],
  ["SELECT * FROM runs INTO OUTFILE '/tmp/x'", "A query can't write files"],
  ["SELECT 1; DROP TABLE runs", "Only one statement"],
  ["SELECT 1; SELECT 2", "Only one statement"],
  ["DROP TABLE runs", "A query begins with SELECT"],
  ["INSERT INTO runs SELECT * FROM runs", "A query begins with SELECT"],
  ["SET readonly = 0", "A query begins with SELECT"],
  ["SYSTEM SHUTDOWN", "A query begins with SELECT"],
  ["EXPLAIN SELECT 1", "A query begins with SELECT"],
  ["SHOW TABLES", "A query begins with SELECT"],
  ["SELECT {scope:String}", "Parameters in braces"],
  ["SELECT @@version", "can't be used here"],
  ["SELECT $$x$$", "can't be used here"],
  ["SELECT * FROM runs FINAL", "FINAL is not needed"],
  ["SELECT * FROM runs PREWHERE 1", "is not expected here"],
  ["SELECT * FROM runs ARRAY JOIN tags", "is not expected here"],
  ["SELECT * FROM runs SAMPLE 1", "is not expected here"],
  ["WITH 'x' AS environment_key SELECT * FROM runs", "Here the name of a query is expected"],
  ["WITH environment_key AS 'x' SELECT * FROM runs", "WITH is followed by NAME AS (SELECT"],
  ["WITH runs AS (SELECT 1) SELECT * FROM runs", "There is a table runs already"],
  ["SELECT * FROM (WITH inner1 AS (SELECT 1) SELECT * FROM inner1), inner1", "There is no table inner1"],
  ["WITH RECURSIVE t AS (SELECT 1) SELECT * FROM t", "WITH is followed by NAME AS (SELECT"],
  ["SELECT __rows.environment_key FROM runs", "can't be used as a name"],
  ['SELECT "__rows".environment_key FROM runs', "can't be used as a name"],
  ["SELECT environment_key FROM runs", "There is no column environment_key (line 1, column 8)"],
  ["SELECT 1 AS environment_key FROM runs WHERE retention_days = 1", "There is no column retention_days"],
  ["SELECT _part, _table FROM runs", "There is no column _part"],
  ["SELECT CAST(1 AS AggregateFunction(sum, UInt8))", "is not a type that can be used here"],
  ["SELECT 'never closed", "This quote is never closed"],
  ["SELECT /* never closed", "This comment is never closed"],
  ["SELECT `a` `b` `c`", "is not expected here"],
  [`SELECT ${"(".repeat(200)}1${")".repeat(200)}`, "nested more than"],
  [
    `SELECT * FROM ${Array.from({ length: 30 }, (_, n) => `runs r${n}`).join(", ")}`,
    "reads at most 16 tables",
  ],
  ["SELECT count() FROM runs WHERE nosuch = 1", "There is no column nosuch (line 1, column 32)"],
  ["SELECT 1 + 'a'", "Illegal types"],
  ["SELECT\n  status,,\n  1 FROM runs", '"," is not expected here (line 2, column 10)'],
];

describe("what a query can't do", () => {
  it.each(ATTACKS.map((attack, index) => [...attack, index] as const))("%s", async (text, says, index) => {
    const project = spare[1 + (index % 6)] as Project;
    const { status, body } = await query(text, {}, project);
    expect({ status, code: body.code, error: body.error }).toEqual({
      status: 400,
      code: "invalid_query",
      error: expect.stringContaining(says),
    });
    // The message is about the user's text, not about the generated statement.
    expect(body.error.replace('"__rows"', "")).not.toMatch(/environment_key =|__rows|__named|\{scope/);
  });

  it.each([
    "SELECT error_message AS m FROM runs WHERE 1 = 1 OR run_id != ''",
    "SELECT message AS m FROM logs UNION ALL SELECT ifNull(error_message, '') FROM runs",
    "SELECT l.message AS m FROM runs r RIGHT JOIN logs l ON 1 = 1 OR l.message != r.run_id",
    "WITH a AS (SELECT * FROM logs) SELECT message AS m FROM a /* ) */ WHERE 1 -- )",
    "SELECT m FROM (SELECT message AS m, 'x' AS environment_key FROM logs) AS runs",
    "SELECT (SELECT any(message) FROM logs) AS m, '{scope:String}' AS environment_key",
    "SELECT groupArray(message) AS m FROM logs AS runs WHERE EXISTS (SELECT 1 FROM runs AS logs)",
  ])("reads its own environment only: %s", async (text) => {
    const { status, body } = await query(text, {}, spare[0]);
    expect(`${status} ${body.error ?? ""}`).toBe("200 ");
    expect(JSON.stringify(body)).toContain("own secret");
    expect(JSON.stringify(body)).not.toContain("secret of another");
  });

  it("exceeds the limits of a query", async () => {
    const [first] = spare;
    const eight = "(SELECT arrayJoin([1,2,3,4,5,6,7,8]) AS x)";
    const many = (levels: number): string =>
      Array.from({ length: levels }, (_, n) => `${eight} AS t${n}`).join(", ");
    const tooLarge = await query(`SELECT 1 AS one FROM ${many(5)}`, {}, first);
    expect(tooLarge).toMatchObject({ status: 422, body: { code: "query_too_expensive" } });
    expect(tooLarge.body.error).toContain("more than 10,000 rows");
    const texts = "groupArray(leftPad(toString(t0.x), 100000, 'x'))";
    const tooHungry = await query(`SELECT length(${texts}) AS n FROM ${many(6)}`, {}, first);
    expect(tooHungry).toMatchObject({ status: 422, body: { code: "query_too_expensive" } });
    expect(tooHungry.body.error).toContain("memory");
    expect((await query("x".repeat(10_001), {}, first)).body.code).toBe("invalid_request");
    expect(await query("SELECT 1", { scope: "organization" }, first)).toMatchObject({
      status: 403,
      body: { code: "scope_not_allowed" },
    });
  });

  it("blocks other environments: too many queries of one environment are refused, and only of that one", async () => {
    const busy = spare[6] as Project;
    const answers = await Promise.all(Array.from({ length: 40 }, () => query("SELECT 1 AS one", {}, busy)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.body.code).toBe("too_many_queries");
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await query("SELECT 1 AS one", {}, other)).status).toBe(200);
  });
});

it("a run is in ClickHouse moments after it is triggered, and as it ended", async () => {
  const project = await newProject();
  await deploy(project, ["hello"]);
  const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {
    payload: 1,
  });
  const stateIs = (status: string) =>
    until(
      async () => {
        const { body: answer } = await query(
          `SELECT status FROM runs WHERE run_id = '${body.id}'`,
          {},
          project,
        );
        return JSON.stringify(answer.results) === JSON.stringify([{ status }]) ? true : undefined;
      },
      { timeout: 30_000, interval: 1_000 },
    );
  await stateIs("Queued");
  await finish(body.id);
  await stateIs("Completed");
});
