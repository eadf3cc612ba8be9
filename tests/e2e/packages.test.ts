/**
 * The published packages: their contents, and a new user's first steps with them in a folder outside the
 * checkout.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../support/local-server.ts";
import {
  installInto,
  type Packed,
  packAll,
  packAs,
  removeFolder,
  run,
  type Started,
  start,
} from "../support/packages.ts";
import { withDocker } from "../support/with-docker.ts";

const inDocker = withDocker();
const BUILD_MS = 300_000;
const folder = mkdtempSync(join(tmpdir(), "acme-packages-"));
const project = join(folder, "my-project");
let packed: Packed;

const steps: string[] = [];
/** Performs a step of the journey, and records how long it took. */
async function timed<T>(what: string, step: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const result = await step();
  steps.push(`${what.padEnd(58)} ${((performance.now() - begun) / 1000).toFixed(2).padStart(6)} s`);
  return result;
}

beforeAll(async () => {
  packed = await packAll(folder);
  await timed("npm install of the two packages", () =>
    installInto(project, [packed.tarballs.sdk, packed.tarballs.cli]),
  );
}, BUILD_MS);

afterAll(() => {
  console.log(steps.join("\n"));
  removeFolder(folder);
});

const textFiles = (name: "sdk" | "cli"): string[] =>
  readdirSync(packed.folders[name], { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(m?js|ts)$/.test(path))
    .map((path) => join(packed.folders[name], path));

describe("a published package", () => {
  it.each(["sdk", "cli"] as const)("%s holds what was built, and nothing else", (name) => {
    const files = packed.files[name];
    expect(files).toEqual(expect.arrayContaining(["package.json", "README.md", "LICENSE"]));
    expect(
      files.filter((path) => /(^|\/)(test|fixtures|bench)\/|\.(test|spec)\.|\.test-d\./.test(path)),
    ).toEqual([]);
    expect(files.filter((path) => path.endsWith(".map"))).toEqual([]);
    const sources = files.filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts"));
    // A project's sources are TypeScript.
    expect(sources.filter((path) => !path.startsWith("lib/platform/example/"))).toEqual([]);
    const outside = textFiles(name).filter((path) =>
      /^\/\/# sourceMappingURL=(?!data:)/m.test(readFileSync(path, "utf8")),
    );
    expect(outside).toEqual([]);
  });

  it.each(["sdk", "cli"] as const)("%s says who may use it, and where it comes from", (name) => {
    const manifest = JSON.parse(readFileSync(join(packed.folders[name], "package.json"), "utf8"));
    expect(manifest).toMatchObject({
      name: `@acme/${name}`,
      version: JSON.parse(readFileSync(join(ROOT, "sdk/package.json"), "utf8")).version,
      license: "Apache-2.0",
      type: "module",
      publishConfig: { access: "public", provenance: true },
    });
    expect(manifest).not.toHaveProperty("private");
    expect(manifest).not.toHaveProperty("scripts");
    expect(manifest).not.toHaveProperty("devDependencies");
    const targets =
      JSON.stringify([manifest.exports, manifest.bin]).match(/(?<=")(?:\.\/lib\/|bin\/)[^"]+/g) ?? [];
    expect(targets.length).toBeGreaterThan(0);
    const packedFiles = new Set(packed.files[name]);
    expect(targets.filter((target) => !packedFiles.has(target.replace(/^\.\//, "")))).toEqual([]);
  });

  it("sdk: every relative import leads to a file", () => {
    const missing: string[] = [];
    for (const file of textFiles("sdk")) {
      const text = readFileSync(file, "utf8");
      for (const [, path = ""] of text.matchAll(/^(?:import|export)\b[^"\n]*"(\.[^"]+)"/gm)) {
        const target = join(dirname(file), path);
        const wanted = file.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target;
        if (!/\.js$/.test(path) || !existsSync(wanted)) missing.push(`${file}: ${path}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it("cli: names the licenses of what it contains", () => {
    const notices = readFileSync(join(packed.folders.cli, "THIRD_PARTY_NOTICES"), "utf8");
    for (const name of ["commander", "chokidar", "hono", "zod", "dockerode"])
      expect(notices).toMatch(new RegExp(`^${name} \\d`, "m"));
  });

  it.each(["bundler", "nodenext"])("sdk: types for moduleResolution %s", (moduleResolution) => {
    const consumer = join(project, `types-${moduleResolution}`);
    mkdirSync(consumer);
    writeFileSync(
      join(consumer, "use.ts"),
      `import { defineConfig, runs, schedules, task, tasks, wait } from "@acme/sdk";
import { LiveClient } from "@acme/sdk/live";
import type { WorkerManifest } from "@acme/sdk/contract";

export const hello = task({
  id: "hello",
  run: async ({ name }: { name: string }) => {
    await wait.for({ seconds: 1 });
    return { text: name };
  },
});
export const nightly = schedules.task({ id: "nightly", cron: "0 3 * * *", run: async () => {} });
export default defineConfig({ project: "proj_x", maxDuration: 60 });

const handle = await tasks.trigger<typeof hello>("hello", { name: "you" });
const run = await runs.retrieve<typeof hello>(handle.id);
export const text: string | undefined = run.output?.text;
// @ts-expect-error the payload has another type
await tasks.trigger<typeof hello>("hello", { name: 1 });
// @ts-expect-error there is no such property
export const wrong: string | undefined = run.output?.other;
export const live: LiveClient = new LiveClient({ baseURL: "http://127.0.0.1", accessToken: "t" });
export type Manifest = WorkerManifest["tasks"];
`,
    );
    const module = moduleResolution === "nodenext" ? "nodenext" : "esnext";
    writeFileSync(join(consumer, "package.json"), '{ "type": "module" }');
    writeFileSync(
      join(consumer, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          ...{ module, moduleResolution, target: "es2022", lib: ["es2022", "dom"], types: [] },
          ...{ strict: true, noEmit: true, skipLibCheck: false },
        },
        include: ["use.ts"],
      }),
    );
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    let output = "";
    try {
      execFileSync(tsc, ["-p", consumer], { cwd: consumer, encoding: "utf8" });
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    expect(output).toBe("");
  });
});

describe("a new user, with the packages alone", { timeout: BUILD_MS }, () => {
  const acme = join(project, "node_modules/.bin/acme");
  const task = join(project, "src/trigger/hello-world.ts");
  let up: Started;
  let dev: Started;
  let oldRun: string;

  const startUp = () => start(project, acme, ["up", "--port", "0"]);
  const isUp = (line: string) => line.startsWith("Acme is running at");
  const trigger = async (...args: string[]): Promise<unknown> =>
    JSON.parse(await run(project, acme, ["trigger", "hello-world", '{"name":"you"}', "--wait", ...args]));

  afterAll(async () => {
    await dev?.stop();
    await up?.stop();
  });

  it("starts the platform", async () => {
    up = startUp();
    await timed("acme up: started, with its sign-in link", async () => {
      await up.line(isUp);
      await up.line((line) => /^\s*http.*sign-in/.test(line));
    });
  });

  it("adds a configuration, an example and scripts to the project", async () => {
    const said = await timed("acme init --yes", () => run(project, acme, ["init", "--yes"]));
    expect(said).toContain("+ acme.config.ts");
    expect(readFileSync(join(project, "acme.config.ts"), "utf8")).toContain('project: "proj_default"');
    const before = readFileSync(join(project, "package.json"), "utf8");
    expect(JSON.parse(before).scripts).toMatchObject({
      "acme:dev": "acme dev",
      "acme:deploy": "acme deploy",
    });
    const again = await run(project, acme, ["init", "--yes"]);
    expect(again).toContain("Nothing was missing");
    expect(readFileSync(join(project, "package.json"), "utf8")).toBe(before);
  });

  it("executes its task on this machine, and the new code after an edit", async () => {
    dev = start(project, acme, ["dev", "--json"]);
    await timed("acme dev: tasks registered", () => dev.line((line) => line.includes('"type":"version"')));
    const first = await timed("acme trigger --env dev --wait", () => trigger("--env", "dev"));
    expect(first).toEqual({ message: "Hello, you!" });
    const seen = dev.lines.length;
    await timed("save → registered again", async () => {
      writeFileSync(task, readFileSync(task, "utf8").replace("Hello", "Goodbye"));
      await dev.line((line) => line.includes('"type":"version"'), seen);
    });
    expect(await trigger("--env", "dev")).toEqual({ message: "Goodbye, you!" });
    expect(await dev.stop()).toBe(0);
  });

  it(`deploys it, and runs it ${inDocker ? "in a container" : "in a process"}`, async () => {
    const deployed = await timed("acme deploy", () => run(project, acme, ["deploy"]));
    expect(deployed).toMatch(
      /Version \d{8}\.1 of proj_default deployed to prod: 1 task .* now the current one/,
    );
    await timed("acme trigger --wait", async () =>
      expect(await trigger()).toEqual({ message: "Goodbye, you!" }),
    );
    expect(up.lines.join("\n")).toContain(`"executor":"${inDocker ? "docker" : "process"}"`);
    const listed = JSON.parse(await run(project, acme, ["runs", "list", "--json"])) as { id: string }[];
    oldRun = listed[0]!.id;
  });

  it("keeps the data over an upgrade, and refuses an older version afterwards", async () => {
    expect(await up.stop()).toBe(0);
    const newer = packAs(packed.folders.cli, "0.99.0", folder);
    await run(project, "npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", newer]);
    up = startUp();
    await timed("acme up after an upgrade", () => up.line(isUp));
    const kept = JSON.parse(await run(project, acme, ["runs", "get", oldRun, "--json"]));
    expect(kept).toMatchObject({ id: oldRun, status: "COMPLETED", output: { message: "Goodbye, you!" } });
    expect(await trigger()).toEqual({ message: "Goodbye, you!" });
    expect(await up.stop()).toBe(0);
    await run(project, "npm", [
      "install",
      "--no-audit",
      "--no-fund",
      "--prefer-offline",
      packed.tarballs.cli,
    ]);
    await expect(run(project, acme, ["up", "--port", "0"])).rejects.toThrow(/written by version 0\.99\.0/);
  });
});
