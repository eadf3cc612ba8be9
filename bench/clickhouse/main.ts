/**
 * Log lines in ClickHouse: `node bench/clickhouse/main.ts [--rows N] [--batch N] [--senders N] [--rounds N]`.
 * Inserts lines of one day in batches as container hosts send them, through the Worker's store and the engine
 * of the tests, and measures the insert rate, the size on disk of each column and index, and searches with
 * and without the indexes, in the same run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { newRunId } from "@acme/sdk/contract";
import { ClickHouseLogLevel, createClient } from "@clickhouse/client-web";
import { startClickhouse } from "../../scripts/clickhouse/start.ts";
import { clickhouseAddress, migrate } from "../../server/src/clickhouse.ts";
import { ClickHouseStore } from "../../workers/src/telemetry/clickhouse/store.ts";
import type { LogSearch, TelemetryBatch } from "../../workers/src/telemetry/store.ts";
import { median, percentile } from "../statistics.ts";
import { LINES_OF_A_RUN, lineOf, USERS } from "./lines.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "10000000" },
    batch: { type: "string", default: "20000" },
    senders: { type: "string", default: "4" },
    rounds: { type: "string", default: "20" },
  },
});
const ROWS = Number(values.rows);
const BATCH = Number(values.batch);
const ENVIRONMENT = "benchenv";
const DAY_MS = 86_400_000;
const NOW = Date.now();

const data = mkdtempSync(join(tmpdir(), "acme-bench-clickhouse-"));
const server = await startClickhouse({ data });
const client = (settings: Record<string, number>) =>
  createClient({
    url: server.url,
    database: "acme",
    request_timeout: 120_000,
    keep_alive: { enabled: false },
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: settings,
  });
const indexed = client({});
const storeOf = (settings: Record<string, number>) =>
  new ClickHouseStore({ client: client(settings), retentionDays: async () => 30 });
const store = storeOf({});
const withoutIndexes = storeOf({ use_skip_indexes: 0 });

const rows = async <T>(query: string): Promise<T[]> =>
  (
    await indexed.query({
      query,
      format: "JSONEachRow",
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    })
  ).json<T>();

const runs = Array.from({ length: Math.ceil(ROWS / LINES_OF_A_RUN) }, (_, n) =>
  newRunId(`${ENVIRONMENT}0000000000`, NOW - DAY_MS + Math.floor((n * DAY_MS * LINES_OF_A_RUN) / ROWS)),
);

/** Sends a batch again if there was no answer, as a host does. It is stored once. */
async function sent(batch: TelemetryBatch): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await store.append(ENVIRONMENT, batch);
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

async function insert(): Promise<number> {
  const started = performance.now();
  let next = 0;
  const send = async (): Promise<void> => {
    while (next < ROWS) {
      const from = next;
      next += BATCH;
      const logs = Array.from({ length: Math.min(BATCH, ROWS - from) }, (_, n) => {
        const row = from + n;
        const time = NOW - DAY_MS + (row * DAY_MS) / ROWS;
        return lineOf(row, time, runs[Math.floor(row / LINES_OF_A_RUN)] as string);
      });
      await sent({ sender: "bench", number: from, logs, spans: [], metrics: [] });
      if (from % 1_000_000 < BATCH)
        console.log(`${from} rows after ${((performance.now() - started) / 1000).toFixed(0)} s`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.senders) }, send));
  return (performance.now() - started) / 1000;
}

/** Background merges continue for some seconds after the last insert and would compete with the searches. */
async function merged(): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    const [{ running } = { running: 0 }] = await rows<{ running: number }>(
      "SELECT count() AS running FROM system.merges WHERE database = 'acme'",
    );
    if (running === 0) return;
    await delay(1_000);
  }
}

async function measured(times: number, work: (round: number) => Promise<number>): Promise<string> {
  const durations: number[] = [];
  let found = 0;
  let failed = 0;
  for (let round = 0; round < times; round++) {
    const started = performance.now();
    try {
      found = await work(round);
      durations.push(performance.now() - started);
    } catch {
      // The store ends a statement that takes too long, as it does for any caller.
      failed += 1;
    }
  }
  const failures = failed > 0 ? `, ${failed} of ${times} took longer than the store allows` : "";
  if (durations.length === 0) return `no answer${failures}`;
  return `p50 ${median(durations).toFixed(0)} ms, p95 ${percentile(durations, 0.95).toFixed(0)} ms (${found} lines)${failures}`;
}

try {
  await migrate(clickhouseAddress(server.url));
  const seconds = await insert();
  console.log(
    `\nInserted ${ROWS} rows in ${seconds.toFixed(0)} s: ${Math.round(ROWS / seconds)} rows a second`,
  );
  await merged();
  const [size] = await rows<{ rows: number; bytes: number; raw: number; parts: number }>(
    "SELECT sum(rows) AS rows, sum(bytes_on_disk) AS bytes, sum(data_uncompressed_bytes) AS raw, count() AS parts FROM system.parts WHERE active AND database = 'acme' AND table = 'logs'",
  );
  if (size) {
    console.log(
      `On disk: ${(size.bytes / size.rows).toFixed(1)} bytes a row with indexes (${(size.raw / size.rows).toFixed(0)} uncompressed), ${size.parts} parts`,
    );
  }
  const columns = await rows<{ name: string; bytes: number }>(
    "SELECT column AS name, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns WHERE active AND database = 'acme' AND table = 'logs' GROUP BY name ORDER BY bytes DESC LIMIT 6",
  );
  const indexes = await rows<{ name: string; bytes: number }>(
    "SELECT name, data_compressed_bytes AS bytes FROM system.data_skipping_indices WHERE database = 'acme' AND table = 'logs'",
  );
  for (const { name, bytes } of [...columns, ...indexes])
    console.log(`  ${name}: ${(bytes / ROWS).toFixed(2)} bytes a row`);

  const rounds = Number(values.rounds);
  const day = { from: NOW - DAY_MS - 60_000, to: NOW + 60_000, limit: 100 };
  const search =
    (fields: (round: number) => Partial<LogSearch>) => async (of: ClickHouseStore, round: number) =>
      (await of.searchLogs(ENVIRONMENT, { ...day, ...fields(round) }, null)).logs.length;
  const pick = (round: number, of: number): number => Math.floor(((round * 0.618_033 + 0.1) % 1) * of);
  /** The number of a line that contains this word, near a place that differs from round to round. */
  const lineWith = (word: string, round: number): number => {
    for (let row = pick(round, ROWS); ; row = (row + 1) % ROWS)
      if (lineOf(row, NOW, "").message.includes(word)) return row;
  };
  const questions: [string, (of: ClickHouseStore, round: number) => Promise<number>][] = [
    [
      "the log of one run",
      async (of, round) =>
        (await of.logsOfRun(ENVIRONMENT, runs[pick(round, runs.length)] as string, { after: 0, limit: 500 }))
          .logs.length,
    ],
    ["a search of one run", search((round) => ({ runId: runs[pick(round, runs.length)] as string }))],
    ["a word of one line in the day", search((round) => ({ text: `order-${lineWith("order-", round)}x` }))],
    [
      "two words, few lines",
      search((round) => ({ text: `timeout shard-${lineWith("shard-", round) % 5_000}x` })),
    ],
    ["a word of every tenth line", search(() => ({ text: "timeout" }))],
    [
      "an attribute",
      search((round) => ({ attributes: [{ name: "user", value: `user-${pick(round, USERS)}` }] })),
    ],
    ["errors, the newest 100", search(() => ({ levels: ["error"] }))],
  ];
  for (const [what, ask] of questions) {
    console.log(`${what}: ${await measured(rounds, (round) => ask(store, round))}`);
    console.log(
      `  without indexes: ${await measured(Math.min(5, rounds), (round) => ask(withoutIndexes, round))}`,
    );
  }
} finally {
  await server.stop();
  rmSync(data, { recursive: true, force: true });
}
