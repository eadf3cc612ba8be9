/** Runs go on while the store of their logs and spans is gone, and what their host received is there afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiClientConfiguration, auth, runs, tasks } from "@acme/sdk";
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ClickhouseServer, startClickhouse } from "../../scripts/clickhouse/start.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { logger, otel, task } from "@acme/sdk";

export const noting = task({
  id: "noting",
  run: async ({ n }: { n: number }) => {
    logger.info("begin " + n);
    await otel.trace.getTracer("mine").startActiveSpan("work", async (span) => span.end());
    logger.info("end " + n);
    return n;
  },
});
`;

const data = mkdtempSync(join(tmpdir(), "acme-clickhouse-"));
let clickhouse: ClickhouseServer;
let client: ClickHouseClient;
let server: LocalServer;
let api: ApiClientConfiguration;

beforeAll(async () => {
  clickhouse = await startClickhouse({ data });
  client = createClient({ url: clickhouse.url, database: "acme", log: { level: ClickHouseLogLevel.OFF } });
  server = await startLocalServer({ clickhouse: clickhouse.url, example: false });
  api = { baseURL: server.apiUrl, accessToken: server.secretKey };
  await deployTaskFile(server, TASKS);
}, 240_000);
afterAll(async () => {
  await server?.stop();
  await client?.close();
  await clickhouse?.stop();
  rmSync(data, { recursive: true, force: true });
});

async function restartClickhouse(): Promise<void> {
  clickhouse = await startClickhouse({ data, port: Number(new URL(clickhouse.url).port) });
}

async function select<T>(query: string, query_params: Record<string, unknown>): Promise<T[]> {
  const clickhouse_settings = { output_format_json_quote_64bit_integers: 0 } as const;
  const result = await client.query({ query, query_params, format: "JSONEachRow", clickhouse_settings });
  return result.json<T>();
}

/** Messages by run, in the order of their numbers. Rows that are there twice count twice. */
const logsOf = async (ids: string[]): Promise<Map<string, string[]>> => {
  const rows = await select<{ run_id: string; messages: string[] }>(
    `SELECT run_id, groupArray(message) AS messages FROM (
       SELECT run_id, message FROM logs FINAL WHERE run_id IN {ids:Array(String)} ORDER BY run_id, seq)
     GROUP BY run_id`,
    { ids },
  );
  return new Map(rows.map(({ run_id, messages }) => [run_id, messages]));
};

it("loses nothing within the buffer when ClickHouse hangs, dies and comes back", async () => {
  const batch = (first: number) =>
    tasks.batchTrigger(
      "noting",
      Array.from({ length: 100 }, (_, n) => ({ payload: { n: first + n } })),
    );
  await auth.withAuth(api, async () => {
    const handles = [await batch(0)];
    // It takes requests, and answers none.
    process.kill(clickhouse.pid, "SIGSTOP");
    handles.push(await batch(100));
    process.kill(clickhouse.pid, "SIGKILL");
    handles.push(await batch(200));
    const ids: string[] = [];
    for (const { batchId } of handles) {
      const found = await eventually("all of a batch are listed", async () => {
        const page = await runs.list({ batch: batchId, limit: 100 });
        return page.data.length === 100 && page.data;
      });
      ids.push(...found.map(({ id }) => id));
    }
    // Nothing of a run waits for its telemetry.
    for (const id of ids)
      expect(await runs.poll(id, { pollIntervalMs: 100 })).toMatchObject({ status: "COMPLETED" });
    await restartClickhouse();
    await eventually(
      "all lines are there",
      async () => [...(await logsOf(ids)).values()].flat().length >= 2 * ids.length,
      120_000,
    );
    const logs = await logsOf(ids);
    const numbers = [...logs.values()].map((messages) => Number(messages[0]?.split(" ")[1]));
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n));
    for (const messages of logs.values()) {
      const n = messages[0]?.split(" ")[1];
      expect(messages).toEqual([`begin ${n}`, `end ${n}`]);
    }
    await eventually("all spans are there", async () => {
      const [row] = await select<{ spans: number; of: number }>(
        "SELECT count() AS spans, uniqExact(run_id) AS of FROM spans FINAL WHERE name = 'work' AND run_id IN {ids:Array(String)}",
        { ids },
      );
      return row?.spans === 300 && row.of === 300;
    });
  });
}, 240_000);
