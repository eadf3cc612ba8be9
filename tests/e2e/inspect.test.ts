/**
 * `acme dev --inspect`: a debugger that uses the inspector's own protocol, in TypeScript files, across a
 * reload.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { configure, runs, tasks } from "@acme/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Debugger } from "../support/debugger.ts";
import { type DevCommand, type DevLine, startDev } from "../support/dev-command.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const source = (before: string, greeting: string) => `import { task } from "@acme/sdk";
${before}
interface Payload {
  name: string;
}

export const greet = task({
  id: "greet",
  run: async ({ name }: Payload) => {
    const text: string = "${greeting}, " + name;
    return { text };
  },
});
`;

let server: LocalServer;
let folder: string;
let dev: DevCommand;
const isVersion = (line: DevLine) => line.type === "version";
const file = () => join(folder, "src/trigger/greet.ts");
const write = (text: string) => {
  writeFileSync(file(), text);
  return text.split("\n").findIndex((line) => line.includes("return { text }")) + 1;
};

beforeAll(async () => {
  server = await startLocalServer({ example: false });
  configure({ baseURL: server.apiUrl, accessToken: server.devSecretKey });
  folder = realpathSync(mkdtempSync(join(tmpdir(), "acme-inspect-")));
  mkdirSync(join(folder, "src/trigger"), { recursive: true });
  writeFileSync(
    join(folder, "acme.config.ts"),
    'import { defineConfig } from "@acme/sdk";\nexport default defineConfig({ project: "proj_default", dirs: ["./src/trigger"] });\n',
  );
});

afterAll(async () => {
  await dev?.end("SIGINT");
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it("stops in a task's file, and again after the file was changed", async () => {
  const breakpoint = { file: pathToFileURL(file()).href, line: write(source("", "Hello")) };
  dev = startDev(folder, { apiUrl: server.apiUrl, secretKey: server.devSecretKey }, ["--inspect", "0"]);
  const inspector = await dev.line("says where debuggers attach", (line) => line.type === "inspector");
  const { address } = inspector as DevLine & { address: string };
  const version = (await (await fetch(`http://${address}/json/version`)).json()) as { Browser: string };
  expect(version.Browser).toBe(`node.js/${process.version}`);
  const debug = new Debugger(address, () => [breakpoint]);
  try {
    await dev.line("is registered", isVersion);
    // A process of the version exists before its first run.
    await eventually("the breakpoint is set", () => debug.isSetIn("Hello"));
    const first = await tasks.trigger("greet", { name: "Ada" });
    const stop = await debug.nextPause(0);
    expect(stop).toMatchObject(breakpoint);
    expect(await stop.evaluate("text")).toBe("Hello, Ada");
    expect((await runs.retrieve(first.id)).status).toBe("EXECUTING");
    await stop.resume();
    expect((await runs.poll(first.id, { pollIntervalMs: 50 })).output).toEqual({ text: "Hello, Ada" });

    const seen = dev.lines.length;
    const changed = write(source("// A line more.\n// And another.", "Goodbye"));
    expect(changed).toBeGreaterThan(breakpoint.line);
    breakpoint.line = changed;
    await dev.line("is registered again", isVersion, seen);
    await eventually("the breakpoint is set in the new process", () => debug.isSetIn("Goodbye"));
    const second = await tasks.trigger("greet", { name: "Ada" });
    const again = await debug.nextPause(1);
    expect(again).toMatchObject(breakpoint);
    expect(await again.evaluate("text")).toBe("Goodbye, Ada");
    await again.resume();
    expect((await runs.poll(second.id, { pollIntervalMs: 50 })).output).toEqual({ text: "Goodbye, Ada" });
  } finally {
    debug.close();
  }
});
