/** `acme mcp`: the official client of the Model Context Protocol, over stdio, against a real server. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LocalServer, ROOT, startLocalServer } from "../support/local-server.ts";
import { until } from "../support/until.ts";

let server: LocalServer;
let folder: string;
const clients: Client[] = [];

async function connect(...args: string[]): Promise<Client> {
  const client = new Client({ name: "test", version: "1.0.0" });
  clients.push(client);
  const env = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !/^(ACME|TRIGGER)_/.test(entry[0]),
  );
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [join(ROOT, "cli/src/main.ts"), "mcp", folder, "--env", "prod", ...args],
      cwd: folder,
      env: {
        ...Object.fromEntries(env),
        ACME_API_URL: server.apiUrl,
        ACME_ACCESS_TOKEN: server.accessToken,
        ACME_CONFIG_DIR: folder,
      },
    }),
  );
  return client;
}

async function use(client: Client, name: string, args: Record<string, unknown> = {}) {
  const result = CallToolResultSchema.parse(await client.callTool({ name, arguments: args }));
  const [content] = result.content;
  if (content?.type !== "text") throw new Error(`${name} did not answer with a text`);
  return { isError: result.isError ?? false, text: content.text };
}

async function ask(client: Client, name: string, args: Record<string, unknown> = {}) {
  const { isError, text } = await use(client, name, args);
  if (isError) throw new Error(text);
  return JSON.parse(text);
}

beforeAll(async () => {
  server = await startLocalServer({ example: false });
  folder = mkdtempSync(join(tmpdir(), "acme-mcp-"));
  cpSync(join(ROOT, "examples/hello-world"), folder, { recursive: true });
});

afterAll(async () => {
  for (const client of clients) await client.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it("deploys a project, triggers its tasks, and shows what they did", async () => {
  const client = await connect();
  expect(client.getServerVersion()?.name).toBe("acme");

  // Nothing exists yet: the answers say what to do.
  expect(await use(client, "list_tasks")).toEqual({
    isError: true,
    text: expect.stringContaining("Nothing is deployed to prod yet"),
  });
  const early = await ask(client, "trigger_task", { task: "hello-world", payload: { name: "A" }, wait: 0 });
  const why = await ask(client, "why_run", { id: early.id });
  expect(why.blockers[0]).toMatchObject({ reason: "version" });

  expect((await ask(client, "deploy", { dryRun: true })).tasks).toContain("hello-world");
  const deployed = await ask(client, "deploy");
  expect(deployed).toMatchObject({ promoted: true, tasks: expect.arrayContaining(["hello-world"]) });
  const { tasks, version } = await ask(client, "list_tasks");
  expect(version).toBe(deployed.version);
  expect(tasks.find(({ id }: { id: string }) => id === "hello-world")).toMatchObject({
    filePath: "src/trigger/hello-world.ts",
  });

  const made = await ask(client, "trigger_task", { task: "hello-world", payload: { name: "B" } });
  expect(made.result).toMatchObject({ ok: true, output: '{"message":"Hello, B!"}' });
  const run = await ask(client, "get_run", { id: made.id });
  expect(run).toMatchObject({
    status: "COMPLETED",
    payload: { name: "B" },
    page: `${server.apiUrl}/r/${made.id}`,
  });
  expect(run.log.join("\n")).toContain("Greeting");

  const { spans } = await ask(client, "get_trace", { id: made.id });
  expect(spans.length).toBeGreaterThan(0);

  const failed = await ask(client, "trigger_task", { task: "flaky", payload: { failTimes: 100 } });
  expect(failed.result.ok).toBe(false);
  const { errors } = await until(async () => {
    const found = await ask(client, "search_errors", { task: ["flaky"], period: "1h" });
    return found.errors.length > 0 && found;
  });
  expect(errors[0]).toMatchObject({ taskIdentifier: "flaky", status: "unresolved", count: 1 });
  await until(async () => {
    const { runs } = await ask(client, "list_runs", { error: errors[0].id });
    return runs.length === 1 && runs[0].id === failed.id;
  });

  const replayed = await ask(client, "replay_run", { id: made.id, payload: { name: "C" } });
  // Lists follow the runs within a second.
  await until(async () => {
    const { runs } = await ask(client, "list_runs", { task: ["hello-world"], limit: 10 });
    return runs.some(({ id }: { id: string }) => id === replayed.id);
  });
  expect((await ask(client, "list_deployments")).deployments).toHaveLength(1);
  expect(await ask(client, "promote_deployment", { version })).toMatchObject({ version, promoted: true });
});

it("answers wrong use with an explanation", async () => {
  const client = await connect();
  expect(await use(client, "get_run", { id: "run_unknown" })).toMatchObject({ isError: true });
  expect(await use(client, "list_runs", { status: ["NO_STATE"] })).toMatchObject({
    isError: true,
    text: expect.stringContaining("status"),
  });
  writeFileSync(join(folder, "src/trigger/broken.ts"), "export const a = ;\n");
  const broken = await use(client, "deploy", { dryRun: true });
  rmSync(join(folder, "src/trigger/broken.ts"));
  expect(broken).toMatchObject({
    isError: true,
    text: expect.stringContaining("src/trigger/broken.ts:1:18"),
  });
});

it("offers no tools with effects if it is read-only, and is restricted to one environment", async () => {
  const client = await connect("--read-only", "--only-env");
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name).sort()).toEqual([
    "get_run",
    "get_trace",
    "list_deployments",
    "list_queues",
    "list_runs",
    "list_tasks",
    "search_errors",
    "why_run",
  ]);
  expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true);
  expect(await use(client, "trigger_task", { task: "hello-world" })).toMatchObject({ isError: true });
  expect((await ask(client, "list_queues")).data.length).toBeGreaterThan(0);
  expect(await use(client, "list_runs", { environment: "dev" })).toEqual({
    isError: true,
    text: expect.stringContaining('environment "prod" only'),
  });
});
