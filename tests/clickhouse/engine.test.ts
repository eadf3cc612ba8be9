import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ClickhouseServer, startClickhouse } from "../../scripts/clickhouse/start.ts";

/** A string that escaping could break: in SQL, in TSV, in JSON. */
const AWKWARD = "q'\\\n é\t{x:String}`\"";

let server: ClickhouseServer;
let client: ClickHouseClient;

beforeAll(async () => {
  server = await startClickhouse();
  client = createClient({
    url: server.url,
    compression: { request: true, response: true },
    log: { level: ClickHouseLogLevel.OFF },
  });
  await client.command({ query: "CREATE DATABASE engine" });
  await client.command({
    query: `CREATE TABLE engine.rows (at DateTime64(3), text String) ENGINE = MergeTree ORDER BY at
            SETTINGS non_replicated_deduplication_window = 100`,
  });
});

afterAll(async () => {
  await client?.close();
  await server?.stop();
});

const select = async <T>(query: string, options: object = {}): Promise<T[]> =>
  (await client.query({ query, format: "JSONEachRow", ...options })).json<T>();

it("answers a ping", async () => {
  expect((await client.ping()).success).toBe(true);
});

it("takes compressed inserts, and one with the same token once", async () => {
  const values = [{ at: 1_700_000_000_000, text: AWKWARD }];
  const insert = () =>
    client.insert({
      table: "engine.rows",
      values,
      format: "JSONEachRow",
      clickhouse_settings: { insert_deduplication_token: "one" },
    });
  expect((await insert()).summary?.written_rows).toBe("1");
  await insert();
  expect(await select("SELECT text FROM engine.rows")).toEqual([{ text: AWKWARD }]);
});

it("binds parameters as values", async () => {
  const query_params = { text: AWKWARD, n: 7 };
  expect(await select("SELECT {text:String} AS text, {n:UInt32} AS n", { query_params })).toEqual([
    { text: AWKWARD, n: 7 },
  ]);
});

it("keeps settings and parameters of requests apart", async () => {
  const each = Array.from({ length: 100 }, async (_, i) => {
    const [row] = await select<{ i: number; rows: string }>(
      "SELECT {i:UInt32} AS i, getSetting('max_block_size') AS rows",
      { query_params: { i }, clickhouse_settings: { max_block_size: String(i + 1) } },
    );
    expect(row).toEqual({ i, rows: i + 1 });
  });
  await Promise.all(each);
});

it.each([
  { query: "SELEC 1", code: "62", settings: {} },
  { query: "SELECT * FROM engine.nothing", code: "60", settings: {} },
  { query: "SELECT 1", code: "115", settings: { no_such_setting: "1" } },
  { query: "DROP TABLE engine.rows", code: "164", settings: { readonly: "1" } },
  { query: "SELECT 1 SETTINGS max_threads = 3", code: "164", settings: { readonly: "1" } },
  { query: "SELECT sleep(3), sleep(3)", code: "159", settings: { max_execution_time: 1 } },
])("fails as ClickHouse does: $query", async ({ query, code, settings }) => {
  await expect(client.query({ query, clickhouse_settings: settings })).rejects.toMatchObject({ code });
});
