import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { externalsPlugin } from "../src/extensions/externals-plugin.ts";
import { mergeLayers } from "../src/extensions/layers.ts";
import { hashOf } from "../src/image/context.ts";
import { dockerfile } from "../src/image/dockerfile.ts";

const NOTHING = { packages: [], instructions: [], commands: [], buildVariables: {} };

describe("dockerfile", () => {
  it("puts the parts that change least first", () => {
    const text = dockerfile({
      base: "debian",
      projectRef: "proj_a",
      layers: {
        packages: ["ffmpeg", "cowsay"],
        instructions: ["ENV A=b"],
        commands: ["npx prisma generate"],
        buildVariables: { TOKEN: 'a "quoted" $value' },
      },
      dependencies: { sharp: "0.34.0" },
      compiles: true,
    });
    expect(text.split("\n").map((line) => line.slice(0, 60))).toEqual([
      "FROM debian AS base",
      "RUN apt-get update && apt-get install -y --no-install-recomm",
      "ENV A=b",
      "",
      "FROM base AS build",
      "RUN apt-get update && apt-get install -y --no-install-recomm",
      "WORKDIR /app",
      'ENV TOKEN="a \\"quoted\\" \\$value"',
      "COPY package.json ./",
      "RUN npm install --omit=dev --no-audit --no-fund --no-package",
      "COPY . .",
      "RUN npx prisma generate",
      "",
      "FROM base",
      "WORKDIR /app",
      "COPY --from=build /app /app",
      'LABEL acme.project="proj_a"',
      "",
    ]);
    expect(text).toContain("cowsay ffmpeg");
  });

  it("installs nothing if nothing is needed", () => {
    const plan = { base: "debian", projectRef: "proj_a", layers: NOTHING, dependencies: {}, compiles: false };
    expect(dockerfile(plan)).not.toMatch(/RUN|ENV/);
  });
});

describe("mergeLayers", () => {
  it("keeps each package once, the last version of a dependency, and no variable without a value", () => {
    const merged = mergeLayers([
      { id: "a", image: { pkgs: ["x", "y"] }, dependencies: { d: "1.0.0" }, commands: ["one"] },
      {
        id: "b",
        image: { pkgs: ["y"] },
        dependencies: { d: "2.0.0" },
        commands: ["two"],
        deploy: { env: { A: "1", B: undefined, C: "" }, secretEnv: { S: "s" }, override: true },
      },
    ]);
    expect(merged).toMatchObject({
      packages: ["x", "y"],
      dependencies: { d: "2.0.0" },
      commands: ["one", "two"],
    });
    expect(merged.variables).toEqual([
      { values: { A: "1" }, ofParent: false, isSecret: false, override: true },
      { values: { S: "s" }, ofParent: false, isSecret: true, override: true },
    ]);
  });
});

describe("the files of a build", () => {
  it("have one hash whatever their order, and another when one changes", () => {
    const file = (name: string, text: string, mode = 0o644) => ({ name, content: Buffer.from(text), mode });
    const hash = hashOf([file("a", "1"), file("b", "2")]);
    expect(hashOf([file("b", "2"), file("a", "1")])).toBe(hash);
    expect(hashOf([file("a", "12"), file("b", "")])).not.toBe(hash);
    expect(hashOf([file("a", "1", 0o755), file("b", "2")])).not.toBe(hash);
  });
});

describe("externalsPlugin", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "acme-externals-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function write(files: Record<string, string | object>): void {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), typeof content === "string" ? content : JSON.stringify(content));
    }
  }

  async function externals(names: string[], detect: boolean): Promise<string[]> {
    const { found, plugin } = externalsPlugin(names, detect);
    await build({
      stdin: {
        contents: 'import "plain"; import "native/sub"; import "node:fs"; import "fs";',
        resolveDir: root,
      },
      bundle: true,
      write: false,
      platform: "node",
      plugins: [plugin],
      logLevel: "silent",
    });
    return [...found].map(
      ([name, { isCompiled, version }]) => `${name}@${version}${isCompiled ? " compiled" : ""}`,
    );
  }

  it("leaves out packages with native code, also where a bundled package imports them", async () => {
    write({
      "node_modules/plain/package.json": { name: "plain", version: "1.0.0", main: "index.js" },
      "node_modules/plain/index.js": 'require("addon");',
      "node_modules/addon/package.json": { name: "addon", version: "2.1.0", gypfile: true },
      "node_modules/addon/binding.gyp": "{}",
      "node_modules/native/package.json": { name: "native", version: "3.0.0", napi: {} },
      "node_modules/native/sub.js": "",
    });
    expect((await externals([], true)).sort()).toEqual(["addon@2.1.0 compiled", "native@3.0.0"]);
  });

  it("leaves out the named packages, and no others if detection is off", async () => {
    write({
      "node_modules/plain/package.json": { name: "plain", version: "1.0.0", main: "index.js" },
      "node_modules/plain/index.js": "",
      "node_modules/native/package.json": { name: "native", version: "3.0.0", napi: {} },
      "node_modules/native/sub.js": "",
    });
    expect(await externals(["plain"], false)).toEqual(["plain@1.0.0"]);
  });
});
