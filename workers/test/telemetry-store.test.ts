import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { newRunId } from "@acme/sdk/contract";
import { expect, it } from "vitest";
import { openRepository } from "../src/storage/open.ts";
import { appendTelemetry } from "../src/telemetry/append.ts";
import { EmbeddedStore } from "../src/telemetry/embedded-store.ts";
import { newProject, type Project } from "./client.ts";
import { describeStore, line, span } from "./telemetry/store-suite.ts";

describeStore("embedded", {
  store: () => new EmbeddedStore(env),
  append: (environment, batch) => appendTelemetry(env, environment, batch),
});

it("the embedded store says that a search over runs needs ClickHouse", async () => {
  await expect(new EmbeddedStore(env).searchLogs()).rejects.toMatchObject({
    status: 501,
    code: "needs_clickhouse",
  });
});

it("keeps the logs, spans and metrics of each organization for its own time", async () => {
  const [long, usual] = await Promise.all([newProject(), newProject()]);
  const slug = (await openRepository(env).findEnvironmentByKey(long.prodKey))?.organization.slug;
  const own = { ...env, TELEMETRY_RETENTION_DAYS: `7,${slug}=365` };
  const daysOf = async ({ prodKey }: Project) => {
    const runId = newRunId(`${prodKey}0000000000`);
    const traceId = "ab".repeat(16);
    const metric = {
      name: "cpu",
      kind: "gauge" as const,
      unit: "1",
      value: 1,
      time: Date.now(),
      attributes: {},
    };
    await appendTelemetry(own, prodKey, {
      sender: "retention",
      number: 1,
      logs: [line({ runId, attempt: 1 })],
      spans: [span({ traceId })],
      metrics: [{ ...metric, runId: null, attempt: null }],
    });
    const names = [`run:${runId}`, `trace:${prodKey}:${traceId}`, `metrics:${prodKey}`];
    return Promise.all(
      names.map((name) =>
        runInDurableObject(env.FEED.getByName(name), (_, { storage }) => {
          const until = Number(
            storage.sql.exec("SELECT value FROM meta WHERE key = 'keptUntil'").one().value,
          );
          return Math.round((until - Date.now()) / 86_400_000);
        }),
      ),
    );
  };
  expect(await daysOf(long)).toEqual([365, 365, 365]);
  expect(await daysOf(usual)).toEqual([7, 7, 7]);
});
