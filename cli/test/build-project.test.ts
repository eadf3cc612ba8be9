import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildProject } from "../src/deploy.ts";
import { CliError } from "../src/errors.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "acme-project-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const CONFIG = 'export default { project: "proj_test" };';
const task = (id: string) => `import { task } from "@trigger.dev/sdk";
export const ${id} = task({ id: "${id}", run: async () => "done" });`;

function project(files: Record<string, string>): void {
  for (const [name, text] of Object.entries({ "acme.config.ts": CONFIG, ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}

async function refusal(): Promise<string> {
  const error = await buildProject(root).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CliError);
  return (error as CliError).message;
}

describe("buildProject", () => {
  it("finds the tasks of a project that has no node_modules", async () => {
    project({ "src/trigger/a.ts": task("a"), "trigger/deep/b.ts": task("b"), "tasks/c.js": task("c") });
    const { manifest } = await buildProject(root);
    expect(manifest.tasks.map(({ id, filePath }) => `${id} ${filePath}`).sort()).toEqual([
      "a src/trigger/a.ts",
      "b trigger/deep/b.ts",
      "c tasks/c.js",
    ]);
  });

  it("uses only the folders that the configuration names, without tests and ignored files", async () => {
    project({
      "trigger.config.ts": "",
      "acme.config.ts": `import { defineConfig } from "@trigger.dev/sdk/v3";
        export default defineConfig({ project: "proj_test", dirs: ["./jobs"], ignorePatterns: ["**/old-*.ts"] });`,
      "jobs/a.ts": task("a"),
      "jobs/a.test.ts": task("b"),
      "jobs/old-c.ts": task("c"),
      "src/trigger/d.ts": task("d"),
    });
    expect((await buildProject(root)).manifest.tasks.map(({ id }) => id)).toEqual(["a"]);
  });

  it("applies the configuration's defaults to tasks without their own settings", async () => {
    project({
      "acme.config.ts": `export default { project: "proj_test", machine: "micro", maxDuration: 60,
        retries: { default: { maxAttempts: 7 } } };`,
      "trigger/a.ts": task("a"),
    });
    const { manifest } = await buildProject(root);
    expect(manifest.tasks[0]).toMatchObject({ machine: "micro", maxDuration: 60 });
    expect(manifest.retry).toEqual({ maxAttempts: 7 });
  });

  it("gives the same project the same content hash, and another one another", async () => {
    project({ "trigger/a.ts": task("a"), "trigger/b.ts": task("b") });
    const first = (await buildProject(root)).bundle.contentHash;
    expect((await buildProject(root)).bundle.contentHash).toBe(first);
    project({ "trigger/b.ts": task("b2") });
    expect((await buildProject(root)).bundle.contentHash).not.toBe(first);
  });

  it("maps stack traces to the project's sources", async () => {
    project({
      "trigger/a.ts": `${task("a")}
interface Removed { by: "the compiler" }
if (!process.env.ACME_INDEXING) {
  throw new Error("from line five");
}`,
    });
    const { bundle } = await buildProject(root);
    const file = join(root, "out.mjs");
    writeFileSync(file, bundle.code);
    let stderr = "";
    try {
      execFileSync(process.execPath, ["--enable-source-maps", file], { stdio: "pipe", env: {} });
    } catch (error) {
      stderr = String((error as { stderr: Buffer }).stderr);
    }
    expect(stderr).toContain("from line five");
    expect(stderr).toMatch(/trigger\/a\.ts:5:/);
  });

  it("lets CommonJS packages use require and __dirname, even if the project declares these names", async () => {
    project({
      "node_modules/old/package.json": '{ "name": "old", "main": "index.js" }',
      "node_modules/old/index.js":
        'const { join, sep } = require("path"); module.exports = { sep, file: join(__dirname, __filename) };',
      "trigger/a.ts": `import { file, sep } from "old";\nimport { dirname } from "node:path";\nconst __dirname = dirname("/own/file");
if (sep !== "/" || !file || __dirname !== "/own") throw new Error(sep);\n${task("a")}`,
    });
    expect((await buildProject(root)).manifest.tasks).toHaveLength(1);
  });

  it("refuses a name that isn't there yet, with file, line and column", async () => {
    project({
      "trigger/a.ts": `import { task } from "@trigger.dev/sdk";
import { helper } from "../lib/helper.ts";
export const a = task({ id: "a", run: helper });`,
      "lib/helper.ts": `// A comment
import { nothingLikeThis } from "@trigger.dev/sdk/v3";
export const helper = () => nothingLikeThis.for({ seconds: 1 });`,
    });
    expect(await refusal()).toContain('lib/helper.ts:2:10: "nothingLikeThis" is not available in Acme yet');
  });

  it("refuses a member that isn't there yet", async () => {
    project({
      "trigger/a.ts": `import { runs, task } from "@acme/sdk";
export const a = task({ id: "a", run: () => runs.nothingLikeThis("x") });`,
    });
    expect(await refusal()).toContain(
      'trigger/a.ts:2:50: "runs.nothingLikeThis" is not available in Acme yet',
    );
  });

  it.each([
    ["a name", 'import { prompts } from "@trigger.dev/sdk"; prompts.define({});', '"prompts"'],
    ["an entry point", 'import { chat } from "@trigger.dev/sdk/ai"; chat.task({});', '"@trigger.dev/sdk/ai"'],
  ])("says that AI agents are not part of Acme, of %s", async (_, code, name) => {
    project({ "trigger/a.ts": `${code}\n${task("a")}` });
    expect(await refusal()).toContain(
      `${name} is for AI agents (chat, prompts, sessions, skills), which are not part`,
    );
  });

  it("refuses other packages of Trigger.dev", async () => {
    project({ "trigger/a.ts": `import { python } from "@trigger.dev/python";\npython.run();\n${task("a")}` });
    expect(await refusal()).toContain(
      'trigger/a.ts:1:24: "@trigger.dev/python" is not available in Acme yet',
    );
  });

  it.each<[string, Record<string, string>, string | RegExp]>([
    [
      "a package that isn't installed",
      { "trigger/a.ts": `import "left-pad";\n${task("a")}` },
      /trigger\/a\.ts:1:.*left-pad[\s\S]*npm install left-pad/,
    ],
    [
      "a file that isn't there",
      { "trigger/a.ts": `import "./gone";\n${task("a")}` },
      /trigger\/a\.ts:1:.*gone[\s\S]*check the path/,
    ],
    ["a syntax error", { "trigger/a.ts": "export const a = ;" }, "trigger/a.ts:1:18: Unexpected"],
    ["no task at all", { "trigger/a.ts": "export const a = 1;" }, "No tasks were found"],
    [
      "the same id twice",
      { "trigger/a.ts": task("a"), "trigger/b.ts": task("a") },
      /"a" is declared twice: in trigger\/a\.ts.* and in trigger\/b\.ts/,
    ],
    [
      "code that throws when it is loaded",
      { "trigger/a.ts": `${task("a")}\nthrow new Error("at the top");` },
      /at the top[\s\S]*trigger\/a\.ts:3/,
    ],
    ["no folder with tasks", { "src/a.ts": task("a") }, "There is no folder with tasks"],
    [
      "a folder of dirs that isn't there",
      { "acme.config.ts": 'export default { project: "proj_test", dirs: ["./nope"] };' },
      '"./nope" in `dirs`',
    ],
    [
      "a configuration without a project",
      { "acme.config.ts": "export default {};", "trigger/a.ts": task("a") },
      "acme.config.ts: project: the project's reference is missing",
    ],
    [
      "a configuration that exports nothing",
      { "acme.config.ts": "export {};", "trigger/a.ts": task("a") },
      "does not export a configuration",
    ],
    [
      "a configuration that can't be read",
      { "acme.config.ts": "export default {", "trigger/a.ts": task("a") },
      "acme.config.ts:1:",
    ],
    [
      "what is no build extension",
      {
        "acme.config.ts": 'export default { project: "proj_test", build: { extensions: [{}] } };',
        "trigger/a.ts": task("a"),
      },
      "build.extensions.0: a build extension is an object with a name",
    ],
    [
      "a build extension that fails",
      {
        "acme.config.ts": `const broken = { name: "broken", onBuildStart() { throw new Error("no token") } };
          export default { project: "proj_test", build: { extensions: [broken] } };`,
        "trigger/a.ts": task("a"),
      },
      'The build extension "broken" failed (onBuildStart): no token',
    ],
    [
      "a build extension that is not installed",
      {
        "acme.config.ts": `import { aptGet } from "@trigger.dev/build/extensions/core";
          export default { project: "proj_test", build: { extensions: [aptGet({ packages: [] })] } };`,
        "trigger/a.ts": task("a"),
      },
      "npm install --save-dev @trigger.dev/build",
    ],
  ])("explains %s", async (_, files, message) => {
    project(files);
    expect(await refusal()).toMatch(message);
  });

  it("says how to begin if there is no configuration", async () => {
    expect(await refusal()).toMatch(
      /No acme\.config\.ts or trigger\.config\.ts in .*\. `acme init` adds one/,
    );
  });

  it("does not show the access token to the project's code", async () => {
    process.env.ACME_ACCESS_TOKEN = "tr_pat_secret";
    try {
      project({
        "trigger/a.ts": `if (process.env.ACME_ACCESS_TOKEN) throw new Error("seen");\n${task("a")}`,
      });
      expect((await buildProject(root)).manifest.tasks).toHaveLength(1);
    } finally {
      delete process.env.ACME_ACCESS_TOKEN;
    }
  });
});
