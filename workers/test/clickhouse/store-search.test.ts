import { env } from "cloudflare:workers";
import { newRunId, randomBase36 } from "@acme/sdk/contract";
import { expect, it } from "vitest";
import { openClickHouse } from "../../src/telemetry/clickhouse/client.ts";
import { ClickHouseStore } from "../../src/telemetry/clickhouse/store.ts";
import type { LogSearch } from "../../src/telemetry/store.ts";
import { line } from "../telemetry/store-suite.ts";

const { client } = openClickHouse(env);
const store = new ClickHouseStore({ client, retentionDays: async () => 30 });

const NOW = Date.now();
const range = { from: NOW - 3_600_000, to: NOW + 3_600_000, limit: 100 };
const newEnvironment = () => randomBase36(8);

let number = 0;
const batchOf = (logs: ReturnType<typeof line>[]) => ({
  sender: "search",
  number: ++number,
  logs,
  spans: [],
  metrics: [],
});

const found = async (environment: string, search: Partial<LogSearch>) =>
  (await store.searchLogs(environment, { ...range, ...search }, null)).logs.map(({ message }) => message);

it("finds lines over runs by words, phrases, level, run and attributes, newest first", async () => {
  const environment = newEnvironment();
  const runs = [newRunId(`${environment}0000000000`), newRunId(`${environment}0000000000`)] as const;
  await store.append(
    environment,
    batchOf([
      line({
        runId: runs[0],
        seq: 1,
        time: NOW - 3_000,
        message: "Payment failed for order 17",
        level: "error",
        properties: { user: "ada", code: 402, zip: "0123" },
      }),
      line({ runId: runs[0], seq: 2, time: NOW - 2_000, message: "Payment retried, then failed again" }),
      line({
        runId: runs[1],
        seq: 1,
        time: NOW - 1_000,
        message: "100% of_it done",
        properties: { user: "bob", code: "402" },
      }),
    ]),
  );
  expect(await found(environment, {})).toEqual([
    "100% of_it done",
    "Payment retried, then failed again",
    "Payment failed for order 17",
  ]);
  expect(await found(environment, { text: "FAILED payment" })).toHaveLength(2);
  expect(await found(environment, { text: '"payment failed"' })).toEqual(["Payment failed for order 17"]);
  expect(await found(environment, { text: "retri" })).toEqual(["Payment retried, then failed again"]);
  // Parts of words on both sides of a sign.
  expect(await found(environment, { text: '"ed; th"' })).toEqual([]);
  expect(await found(environment, { text: '"ed, th"' })).toEqual(["Payment retried, then failed again"]);
  // Signs of LIKE are letters like others.
  expect(await found(environment, { text: "0% of_it" })).toEqual(["100% of_it done"]);
  expect(await found(environment, { text: "p_yment" })).toEqual([]);
  expect(await found(environment, { levels: ["error"] })).toEqual(["Payment failed for order 17"]);
  expect(await found(environment, { runId: runs[1] })).toEqual(["100% of_it done"]);
  expect(await found(environment, { attributes: [{ name: "user", value: "ada" }] })).toHaveLength(1);
  // As a number and as a text.
  expect(await found(environment, { attributes: [{ name: "code", value: "402" }] })).toHaveLength(2);
  expect(await found(environment, { attributes: [{ name: "zip", value: "0123" }] })).toHaveLength(1);
  expect(await found(environment, { to: NOW - 2_500 })).toHaveLength(1);
  expect(await found(newEnvironment(), { text: "payment" })).toEqual([]);
});

it("pages through lines of one moment without a gap or a repetition, also where a batch was stored four times", async () => {
  const environment = newEnvironment();
  const lines = Array.from({ length: 25 }, (_, n) =>
    line({ runId: null, attempt: null, time: NOW, message: `line ${n}` }),
  );
  const batch = batchOf(lines);
  // More often than a page takes repetitions into account: its lines are fewer then, and it is not the last one.
  for (let times = 0; times < 4; times++) await store.append(environment, batch);
  const messages: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await store.searchLogs(environment, { ...range, limit: 7 }, cursor);
    messages.push(...page.logs.map(({ message }) => message));
    cursor = page.next;
  } while (cursor !== null);
  expect(messages.toSorted()).toEqual(lines.map(({ message }) => message).toSorted());
});

it("counts a batch of metric points once, also in the sums by minute", async () => {
  const environment = newEnvironment();
  const minute = Math.floor(NOW / 60_000) * 60_000 - 120_000;
  const point = {
    name: "m",
    kind: "gauge" as const,
    unit: "1",
    attributes: { core: "a" },
    runId: null,
    attempt: null,
  };
  const metrics = [1, 4].map((value, n) => ({ ...point, value, time: minute + n }));
  const batch = { ...batchOf([]), metrics };
  await store.append(environment, batch);
  await store.append(environment, batch);
  const query = { name: "m", from: minute, to: minute + 60_000, groupBy: "core" };
  const points = [{ time: minute, min: 1, max: 4, sum: 5, count: 2, last: 4 }];
  for (const step of [30_000, 60_000]) {
    expect(await store.metricSeries(environment, { ...query, step })).toEqual([
      { group: "a", unit: "1", points },
    ]);
  }
});

it("keeps rows for the days of their organization, and no time that is far from now", async () => {
  const environment = newEnvironment();
  const short = new ClickHouseStore({ client, retentionDays: async () => 7 });
  await short.append(
    environment,
    batchOf([line({ time: 0, message: "old" }), line({ time: NOW * 2, message: "new" })]),
  );
  const rows = await client.query({
    query: `SELECT message, retention_days AS days, dateDiff('hour', now(), time) AS hours FROM logs
            WHERE environment_key = {environment:String} ORDER BY time`,
    query_params: { environment },
    format: "JSONEachRow",
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  });
  expect(await rows.json()).toEqual([
    { message: "old", days: 7, hours: -48 },
    { message: "new", days: 7, hours: 1 },
  ]);
});

it("refuses an invalid cursor", async () => {
  await expect(store.searchLogs(newEnvironment(), range, "1' OR 1=1")).rejects.toMatchObject({
    status: 400,
    code: "invalid_cursor",
  });
});
