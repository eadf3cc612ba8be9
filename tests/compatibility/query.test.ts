import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configure, type QueryTable, query, runs, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClickhouseServer, startClickhouse } from "../../scripts/clickhouse/start.ts";
import { acmeCommand } from "../support/acme-command.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { until } from "../support/until.ts";

/** An environment may not run many queries. */
const PATIENCE = { timeout: 60_000, interval: 1_000 };

/** A server with a ClickHouse, which is stopped and started, and the published client of Trigger.dev. */
describe("a server with --clickhouse", () => {
  const data = mkdtempSync(join(tmpdir(), "acme-clickhouse-"));
  let clickhouse: ClickhouseServer;
  let server: LocalServer;

  beforeAll(async () => {
    clickhouse = await startClickhouse({ data });
    server = await startLocalServer({ clickhouse: clickhouse.url });
    configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
  });
  afterAll(async () => {
    await server?.stop();
    await clickhouse?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  type Row = QueryTable<"runs", "run_id" | "status" | "triggered_at">;

  /** Waits until the run is in ClickHouse with this status. */
  const inClickHouse = (runId: string, status: string) =>
    until(async () => {
      const { results } = await query.execute<Row>(
        `SELECT run_id, status, triggered_at FROM runs WHERE run_id = '${runId}'`,
        { period: "1h" },
      );
      return results[0]?.status === status && results[0];
    }, PATIENCE);

  const health = async (): Promise<{ ok: boolean; clickhouse: string }> => {
    const response = await fetch(`${server.apiUrl}/healthz`);
    return response.json();
  };

  it("queries runs as JSON and CSV", async () => {
    const handle = await tasks.trigger("hello-world", { name: "Ada" });
    const row = await inClickHouse(handle.id, "Completed");
    expect(row.triggered_at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    const csv = await query.execute(`SELECT task_identifier FROM runs WHERE run_id = '${handle.id}'`, {
      format: "csv",
    });
    expect(csv).toEqual({ format: "csv", results: '"task_identifier"\n"hello-world"\n' });
    await expect(query.execute("SELECT * FROM system.tables")).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("A table is named alone"),
    });
  });

  it("finds the log lines of runs", async () => {
    const search = async (path: string) => {
      const headers = { authorization: `Bearer ${server.secretKey}` };
      const response = await fetch(`${server.apiUrl}/api/v1/logs${path}`, { headers });
      return response.json() as Promise<{ logs: { message: string; runId: string }[]; total: number }>;
    };
    const handle = await tasks.trigger("hello-world", { name: "Lovelace" });
    const lines = await until(async () => {
      const { logs } = await search(`?run=${handle.id}&task=hello-world`);
      return logs.length > 0 && logs;
    }, PATIENCE);
    const word = /[a-z]{4,}/i.exec(lines[0]?.message ?? "")?.[0] as string;
    const found = await search(`?text=${word.toUpperCase()}&limit=500`);
    expect(found.logs.map(({ runId }) => runId)).toContain(handle.id);
    expect((await search(`/histogram?run=${handle.id}`)).total).toBe(lines.length);
    expect((await search(`?text=${word}&task=another`)).logs).toEqual([]);

    const project = ["--project-ref", server.projectRef, "--env", "prod"];
    const asked = ["logs", "search", word.toUpperCase(), "--run", handle.id, "--period", "1h", ...project];
    const printed = await acmeCommand(server, [...asked, "--json"]);
    expect([printed.code, printed.stderr]).toEqual([0, ""]);
    const messages = printed.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).message);
    expect(messages).toContain(lines[0]?.message);
    const shown = await acmeCommand(server, asked);
    expect(shown.stdout).toContain(handle.id);
    const none = await acmeCommand(server, [...asked, "--level", "error"]);
    expect(none).toMatchObject({ code: 0, stdout: "", stderr: "No log lines in this period match.\n" });
  });

  it("executes runs while ClickHouse is stopped, and sends them to it afterwards", async () => {
    expect(await health()).toMatchObject({ ok: true, clickhouse: "ok" });
    const port = Number(new URL(clickhouse.url).port);
    await clickhouse.stop();
    const meanwhile = await runs.poll(await tasks.trigger("hello-world", { name: "Alone" }), {
      pollIntervalMs: 100,
    });
    expect(meanwhile).toMatchObject({ status: "COMPLETED" });
    // The health of the parts is cached for a few seconds.
    const gone = await until(async () => {
      const answer = await health();
      return answer.clickhouse !== "ok" && answer;
    }, PATIENCE);
    expect(gone).toMatchObject({ ok: true, clickhouse: expect.stringContaining("does not answer") });
    await expect(query.execute("SELECT 1 AS one", {}, { retry: { maxAttempts: 1 } })).rejects.toMatchObject({
      status: 503,
    });
    clickhouse = await startClickhouse({ data, port });
    await inClickHouse(meanwhile.id, "Completed");
    await until(async () => (await health()).clickhouse === "ok", PATIENCE);
  });
});
