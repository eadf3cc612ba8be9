import { env } from "cloudflare:workers";
import { newRunId } from "@acme/sdk/contract";
import { expect, it } from "vitest";
import { appendTelemetryOfRuns, type BatchesOfRun } from "../../src/telemetry/append.ts";
import { openTelemetryStore } from "../../src/telemetry/store.ts";
import { newProject } from "../client.ts";
import { line, span } from "../telemetry/store-suite.ts";

/** An address where nothing listens. */
const gone = { ...env, CLICKHOUSE_URL: "http://127.0.0.1:1/acme" };

it("a host's batches of many runs that fail while ClickHouse is unreachable are stored once when they are sent again", async () => {
  const { prodKey } = await newProject();
  const traceId = "ab".repeat(16);
  const runs = Array.from({ length: 20 }, (): BatchesOfRun => {
    const runId = newRunId(`${prodKey}0000000000`);
    const batches = [1, 2, 3, 4].map((number) => ({
      sender: `host 1 ${runId}`,
      number,
      logs: [1, 2].map((n) => line({ runId, attempt: 1, message: `${number}.${n}` })),
      spans: number === 4 ? [span({ traceId, runId, attempt: 1 })] : [],
      metrics: [],
    }));
    return { environment: prodKey, runId, batches };
  });
  const first = (count: number) => runs.map((run) => ({ ...run, batches: run.batches.slice(0, count) }));
  // The feeds have stored these, and a watcher has seen them: their numbers stay.
  expect(await appendTelemetryOfRuns(gone, first(2))).toEqual(runs.map(() => 0));
  expect(await appendTelemetryOfRuns(gone, first(3))).toEqual(runs.map(() => 0));
  expect(await appendTelemetryOfRuns(env, first(4))).toEqual(runs.map(() => 4));
  expect(await appendTelemetryOfRuns(env, first(4))).toEqual(runs.map(() => 4));
  const store = openTelemetryStore(env);
  const expected = [1, 2, 3, 4].flatMap((number) => [`${number}.1`, `${number}.2`]);
  for (const { runId } of runs) {
    const { logs } = await store.logsOfRun(prodKey, runId, { after: 0, limit: 100 });
    expect(logs.map(({ seq, message }) => ({ seq, message }))).toEqual(
      expected.map((message, n) => ({ seq: n + 1, message })),
    );
  }
  const { spans } = await store.trace(prodKey, traceId, { after: null, limit: 100 });
  expect(spans).toHaveLength(runs.length);
});
