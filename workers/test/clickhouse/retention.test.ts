import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { openRepository } from "../../src/storage/open.ts";
import { openClickHouse } from "../../src/telemetry/clickhouse/client.ts";
import { ClickHouseStore } from "../../src/telemetry/clickhouse/store.ts";
import { openTelemetryStore } from "../../src/telemetry/store.ts";
import { newProject } from "../client.ts";
import { line, span } from "../telemetry/store-suite.ts";

it("keeps the rows of each organization for its own time", async () => {
  const [long, usual] = await Promise.all([newProject(), newProject()]);
  const repository = openRepository(env);
  const slug = (await repository.findEnvironmentByKey(long.prodKey))?.organization.slug;
  const bindings = { ...env, TELEMETRY_RETENTION_DAYS: `7,${slug}=365` };
  const logs = [line({ runId: null, attempt: null })];
  for (const { prodKey } of [long, usual])
    await openTelemetryStore(bindings).append(prodKey, {
      sender: "r",
      number: 1,
      logs,
      spans: [],
      metrics: [],
    });
  const days = async (environment: string) => {
    const rows = await openClickHouse(bindings).client.query({
      query: "SELECT DISTINCT retention_days AS days FROM logs WHERE environment_key = {environment:String}",
      query_params: { environment },
      format: "JSONEachRow",
    });
    return rows.json();
  };
  expect(await days(long.prodKey)).toEqual([{ days: 365 }]);
  expect(await days(usual.prodKey)).toEqual([{ days: 7 }]);
});

it("deletes expired rows, and keeps those of an organization with a longer retention", async () => {
  const [short, long] = await Promise.all([newProject(), newProject()]);
  const bindings = env;
  const { client } = openClickHouse(bindings);
  // Times in the past are stored as two days ago at most: that is over after a day, and not after a week.
  for (const [{ prodKey }, days] of [
    [short, 1],
    [long, 7],
  ] as const)
    await new ClickHouseStore({ client, retentionDays: async () => days }).append(prodKey, {
      sender: "old",
      number: 1,
      logs: [line({ runId: null, attempt: null, time: 0 })],
      spans: [span({ traceId: "ab".repeat(16), startTime: 0, endTime: 1 })],
      metrics: [],
    });
  for (const table of ["logs", "spans"]) {
    await client.command({ query: `OPTIMIZE TABLE ${table} FINAL` });
    const rows = await client.query({
      query: `SELECT environment_key AS key, count() AS rows FROM ${table} WHERE environment_key IN {keys:Array(String)} GROUP BY key`,
      query_params: { keys: [short.prodKey, long.prodKey] },
      format: "JSONEachRow",
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    });
    expect(await rows.json()).toEqual([{ key: long.prodKey, rows: 1 }]);
  }
});
