import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { Bindings } from "../../src/bindings.ts";
import { openRepository } from "../../src/storage/open.ts";
import { openClickHouse } from "../../src/telemetry/clickhouse/client.ts";
import { openTelemetryStore } from "../../src/telemetry/store.ts";
import { newProject } from "../client.ts";
import { line } from "../telemetry/store-suite.ts";

it("keeps the rows of each organization for its own time", async () => {
  const [long, usual] = await Promise.all([newProject(), newProject()]);
  const repository = openRepository(env as unknown as Bindings);
  const slug = (await repository.findEnvironmentByKey(long.prodKey))?.organization.slug;
  const bindings = { ...(env as unknown as Bindings), TELEMETRY_RETENTION_DAYS: `7,${slug}=365` };
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
