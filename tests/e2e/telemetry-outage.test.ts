/**
 * Runs continue while the store of their logs and spans is unreachable, and what their host received is
 * stored afterwards.
 */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
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
import { existsSync, writeFileSync } from "node:fs";

export const noting = task({
  id: "noting",
  run: async ({ n }: { n: number }) => {
    logger.info("begin " + n);
    await otel.trace.getTracer("mine").startActiveSpan("work", async (span) => span.end());
    logger.info("end " + n);
    return n;
  },
});

/** Writes more than fits into its host's buffer, and reports when it has. Executed again, it ends at once. */
export const filling = task({
  id: "filling",
  run: async ({ lines, folder }: { lines: number; folder: string }) => {
    if (existsSync(folder + "/begun")) return "again";
    writeFileSync(folder + "/begun", "");
    for (let n = 0; n < lines; n++) {
      logger.info("line " + n, { text: "x".repeat(1_000) });
      if (n % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    writeFileSync(folder + "/written", "");
    await new Promise(() => setInterval(() => {}, 1_000));
  },
});
`;

/** A run may use a quarter of it. */
const BUFFER_BYTES = 8 * 1024 * 1024;

const data = mkdtempSync(join(tmpdir(), "acme-clickhouse-"));
let clickhouse: ClickhouseServer;
let client: ClickHouseClient;
let server: LocalServer;
let api: ApiClientConfiguration;

beforeAll(async () => {
  clickhouse = await startClickhouse({ data });
  client = createClient({ url: clickhouse.url, database: "acme", log: { level: ClickHouseLogLevel.OFF } });
  const env = { ACME_HOST_TELEMETRY_BUFFER_BYTES: String(BUFFER_BYTES) };
  server = await startLocalServer({ clickhouse: clickhouse.url, example: false, env });
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

/** Messages by run, in the order of their numbers. Rows that are stored twice count twice. */
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
    // It accepts requests, but answers none.
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
    // A run never waits for its telemetry.
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

it("a host that is killed with a full buffer keeps what it received, and reports how much it dropped", async () => {
  const lines = 8_000;
  const folder = mkdtempSync(join(tmpdir(), "acme-filling-"));
  // Tasks can run as another user.
  chmodSync(folder, 0o777);
  await clickhouse.stop();
  try {
    await auth.withAuth(api, async () => {
      const { id } = await tasks.trigger("filling", { lines, folder });
      await eventually("it has written", () => existsSync(join(folder, "written")));
      const host = server.pids().host;
      server.kill("host", "SIGKILL");
      await eventually("another host is there", async () => server.pids().host !== host);
      const kept = messagesIn(join(server.dataDir, "host/telemetry"), id);
      expect(kept.length).toBeGreaterThan(0);
      expect(kept.length).toBeLessThan(lines);
      await restartClickhouse();
      expect(await runs.poll(id, { pollIntervalMs: 250 })).toMatchObject({ output: "again" });
      // Each gap is reported in its place, with the number of missing lines: none is lost silently.
      const messages = await eventually("all lines are there, or are said to be missing", async () => {
        const found = (await logsOf([id])).get(id) ?? [];
        return found.reduce((sum, message) => sum + linesOf(message), 0) >= lines && found;
      });
      expect(messages.filter((message) => message.startsWith("line "))).toEqual(kept);
      let next = 0;
      for (const message of messages) {
        if (message.startsWith("line ")) expect(message).toBe(`line ${next}`);
        next += linesOf(message);
      }
      expect(next).toBe(lines);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A line counts as one, and a notice as the number of missing lines that it reports. */
const linesOf = (message: string): number =>
  message.startsWith("line ") ? 1 : Number(/^(\d+) log entries/.exec(message)?.[1] ?? Number.NaN);

/** What a host's buffer contains of a run, without the host's own notices. */
function messagesIn(folder: string, runId: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .sort()
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1))
    .map((line) => JSON.parse(line) as { runId: string; entries: { message: string }[] })
    .filter((record) => record.runId === runId)
    .flatMap(({ entries }) => entries.map(({ message }) => message))
    .filter((message) => message.startsWith("line "));
}
