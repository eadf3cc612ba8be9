/**
 * The SDK in every runtime: triggers, batches, runs, tokens, live states and streams. Node.js, Bun and Deno
 * use the published package; in workerd and in a page it is bundled, as is usual there.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildSdk } from "../../scripts/packages/sdk.ts";
import { openBrowser, openPage } from "../support/browser.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { type LocalServer, ROOT, startLocalServer } from "../support/local-server.ts";
import { installBuilt, outputOf, outputOfWorkerd, RUNTIMES } from "../support/runtimes.ts";

const TASKS = `
import { streams, task, wait } from "@acme/sdk";
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function* count(n, ms) {
  for (let i = 0; i < n; i++) { yield { n: i }; await pause(ms); }
}
export const counting = task({
  id: "counting",
  run: async ({ n, ms, at }) => {
    await streams.pipe("numbers", count(n, ms)).waitUntilComplete();
    return { counted: n, at };
  },
});
export const double = task({ id: "double", run: async ({ n }) => 2 * n });
export const asking = task({ id: "asking", run: async ({ token }) => wait.forToken(token) });
`;

/** The expected result in every runtime. */
const FOUND = {
  output: { counted: 5, at: "1970-01-01T00:00:00.000Z" },
  chunks: [0, 1, 2, 3, 4],
  batch: [2, 4],
  listed: 1,
  answer: { ok: true, output: { yes: true, at: "1970-01-01T00:00:00.000Z" } },
};
const MARK = "FOUND ";

let server: LocalServer;
let folder: string;
const connection = () => ({ baseURL: server.apiUrl, accessToken: server.secretKey });

function check(output: string): void {
  const line = output.split("\n").find((each) => each.startsWith(MARK));
  if (line === undefined) throw new Error(output);
  const { states, ...found } = JSON.parse(line.slice(MARK.length));
  expect(found).toEqual(FOUND);
  expect(states.at(-1)).toBe("COMPLETED");
}

/** The client with the SDK in one file; `main` is the code that uses it. */
async function bundled(main: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { useEverything } from "./runtime-client.ts";\n${main}`,
      resolveDir: import.meta.dirname,
      loader: "ts",
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    define: { CONNECTION: JSON.stringify(connection()) },
  });
  return outputFiles[0]!.text;
}

beforeAll(async () => {
  server = await startLocalServer({ executor: "process", example: false });
  await deployTaskFile(server, TASKS);
  folder = mkdtempSync(join(tmpdir(), "acme-runtimes-"));
  const built = join(folder, "built");
  await buildSdk(ROOT, built);
  // Node.js 18 and 20 have no WebSocket of their own.
  installBuilt(folder, built, ["ws"]);
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "runtime-client.ts")],
    bundle: true,
    packages: "external",
    write: false,
    format: "esm",
    target: "es2022",
  });
  writeFileSync(join(folder, "client.js"), outputFiles[0]!.text);
  writeFileSync(
    join(folder, "main.js"),
    `import { useEverything } from "./client.js";
console.log(${JSON.stringify(MARK)} + JSON.stringify(await useEverything(${JSON.stringify(connection())})));
process.exit(0);
`,
  );
});

afterAll(async () => {
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

it.each(RUNTIMES)("works in %s", async (runtime) => {
  check(await outputOf(runtime, folder, "main.js"));
});

it("works in workerd", async () => {
  const module = await bundled(
    `export default { async test() { console.log(${JSON.stringify(MARK)} + JSON.stringify(await useEverything(CONNECTION))); } };`,
  );
  check(await outputOfWorkerd(module, mkdtempSync(join(folder, "workerd-"))));
});

it("works in a page of another origin", async () => {
  const script = await bundled("globalThis.useEverything = () => useEverything(CONNECTION);");
  const site: Server = createServer((request, response) => {
    const isScript = request.url === "/main.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : '<script type="module" src="/main.js"></script>');
  }).listen(0, "127.0.0.1");
  const browser = await openBrowser();
  try {
    const { page, problems } = await openPage(browser);
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    const found = await page.evaluate("useEverything()").catch((error: unknown) => {
      throw new Error(`${error}\n${problems.join("\n")}`);
    });
    check(MARK + JSON.stringify(found));
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
    site.close();
  }
});
