/**
 * How long a change takes from its commit in the queue's object to a callback, and a log line from the task's
 * call of the logger to a callback: in Node.js, and in the same run, for the same changes and lines, in a
 * page of headless Chromium.
 *
 *   node scripts/bootstrap.mjs bench/live/delay.ts [--rate 20] [--seconds 20]
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { auth, runs, tasks } from "@acme/sdk";
import { LiveClient } from "@acme/sdk/live";
import { build } from "esbuild";
import { openBrowser } from "../../tests/support/browser.ts";
import { deployTaskFile } from "../../tests/support/deploy-task.ts";
import { eventually } from "../../tests/support/eventually.ts";
import { startLocalServer } from "../../tests/support/local-server.ts";
import { percentile } from "../statistics.ts";
import { type Delays, watchDelays, watchLines } from "./watch-delays.ts";

const { values } = parseArgs({
  options: { rate: { type: "string", default: "20" }, seconds: { type: "string", default: "20" } },
});
const rate = Number(values.rate);
const seconds = Number(values.seconds);
const TASK = `
import { logger, task } from "@acme/sdk";
export const noop = task({ id: "noop", run: async () => {} });
export const lines = task({
  id: "lines",
  run: async ({ rate, seconds }: { rate: number; seconds: number }) => {
    // All watchers are connected before the first line is written.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    for (let n = 0; n < rate * seconds; n++) {
      logger.info("line " + n);
      await new Promise((resolve) => setTimeout(resolve, 1_000 / rate));
    }
  },
});
`;
const TAG = "delay";

const { outputFiles } = await build({
  stdin: {
    contents: `
      import { LiveClient } from "@acme/sdk/live";
      import { watchDelays, watchLines } from "./watch-delays.ts";
      globalThis.start = (connection, tag) => {
        globalThis.client = new LiveClient(connection);
        globalThis.delays = watchDelays(client, tag);
      };
      globalThis.startLines = (runId) => {
        globalThis.lines = watchLines(client, runId);
      };`,
    resolveDir: import.meta.dirname,
  },
  bundle: true,
  write: false,
  format: "esm",
  platform: "browser",
});
const site = createServer((request, response) => {
  const isScript = request.url === "/page.js";
  response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
  response.end(
    isScript ? outputFiles[0]?.text : '<!doctype html><script type="module" src="/page.js"></script>',
  );
});
await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));

const server = await startLocalServer({ executor: "process", example: false, env: { ACME_LOG: "error" } });
const connection = { baseURL: server.apiUrl, accessToken: server.secretKey };
const browser = await openBrowser();
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);

async function load(tag: string, forSeconds: number): Promise<void> {
  const began = performance.now();
  const pending: Promise<unknown>[] = [];
  for (let n = 0; n < rate * forSeconds; n++) {
    const due = began + (n * 1_000) / rate - performance.now();
    if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
    pending.push(tasks.trigger("noop", {}, { tags: [tag] }));
  }
  await Promise.all(pending);
  await eventually("all runs are over", async () => {
    const left = await runs.list({ tag, status: ["QUEUED", "DEQUEUED", "EXECUTING"], limit: 1 });
    return left.data.length === 0;
  });
}

await auth.withAuth(connection, async () => {
  await deployTaskFile(server, TASK);
  await load("warm", 3);
  const client = new LiveClient(connection);
  const node = watchDelays(client, TAG);
  const inPage = () => page.evaluate<Delays>("delays");
  await page.evaluate(`start(${JSON.stringify(connection)}, ${JSON.stringify(TAG)})`);
  await eventually("both watch", async () => node.open && (await inPage()).open);
  await load(TAG, seconds);
  const total = rate * seconds;
  await eventually(
    "both have seen all ends",
    async () => node.ended === total && (await inPage()).ended === total,
  );
  const report = (where: string, { ms }: Delays): void => {
    const at = (share: number) => percentile(ms, share);
    console.log(`${where}: ${ms.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
  };
  console.log(`commit → callback, ${rate} runs/s for ${seconds} s`);
  report("Node.js ", node);
  report("Chromium", await inPage());
  const { id } = await tasks.trigger("lines", { rate, seconds });
  const nodeLines = watchLines(client, id);
  await page.evaluate(`startLines(${JSON.stringify(id)})`);
  const linesInPage = () => page.evaluate<Delays>("lines");
  await eventually(
    "both have all lines",
    async () => nodeLines.ms.length === total && (await linesInPage()).ms.length === total,
    (seconds + 60) * 1_000,
  );
  console.log(`logger → callback, a run that logs ${rate} lines/s for ${seconds} s`);
  report("Node.js ", nodeLines);
  report("Chromium", await linesInPage());
  client.close();
});
await browser.close();
site.close();
process.exit(await server.stop());
