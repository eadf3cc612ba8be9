import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type PackageManager, packageManagerOf } from "../src/init/package-manager.ts";
import { planInit } from "../src/init/plan.ts";
import { withVersion } from "../src/init/update.ts";

let root: string;
const write = (file: string, text: string) => {
  mkdirSync(join(root, file, ".."), { recursive: true });
  writeFileSync(join(root, file), text);
};
const read = (file: string) => readFileSync(join(root, file), "utf8");
const plan = (manager: PackageManager = "npm") =>
  planInit({ root, manager, project: "proj_test", version: "1.2.3" });
const apply = () => {
  for (const change of plan().changes) change.apply?.();
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "acme-init-"));
  // Files above this folder do not count.
  mkdirSync(join(root, ".git"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("acme init", () => {
  it("adds what a project lacks, and nothing when it is repeated", () => {
    write("package.json", '{\n\t"name": "shop",\n\t"scripts": { "build": "tsc" },\n\t"license": "MIT"\n}\n');
    apply();
    expect(readdirSync(root).sort()).toEqual([
      ".git",
      ".gitignore",
      "acme.config.ts",
      "package.json",
      "src",
      "tsconfig.json",
    ]);
    // Its order and indentation are kept.
    expect(read("package.json")).toBe(`{
\t"name": "shop",
\t"scripts": {
\t\t"build": "tsc",
\t\t"acme:dev": "acme dev",
\t\t"acme:deploy": "acme deploy"
\t},
\t"license": "MIT",
\t"dependencies": {
\t\t"@acme/sdk": "^1.2.3"
\t},
\t"devDependencies": {
\t\t"@acme/cli": "^1.2.3"
\t}
}
`);
    expect(read("acme.config.ts")).toContain('project: "proj_test"');
    const again = plan();
    expect(again.installs).toBe(false);
    expect(again.changes.filter((change) => change.apply)).toEqual([]);
  });

  it("overwrites nothing", () => {
    const files = {
      "package.json":
        '{"scripts":{"acme:dev":"mine"},"dependencies":{"@acme/sdk":"file:../sdk"},"devDependencies":{"@acme/cli":"*"}}',
      "tsconfig.json": "mine",
      "acme.config.ts": "mine",
      "src/trigger/hello-world.ts": "mine",
      ".gitignore": "dist\n.acme\n",
    };
    for (const [file, text] of Object.entries(files)) write(file, text);
    apply();
    const { "package.json": _, ...others } = files;
    for (const [file, text] of Object.entries(others)) expect(read(file)).toBe(text);
    expect(JSON.parse(read("package.json"))).toEqual({
      scripts: { "acme:dev": "mine", "acme:deploy": "acme deploy" },
      dependencies: { "@acme/sdk": "file:../sdk" },
      devDependencies: { "@acme/cli": "*" },
    });
  });

  it("leaves the example out of a project whose own configuration says where tasks are", () => {
    write("package.json", "{}");
    write("trigger.config.ts", "export default {}");
    apply();
    expect(readdirSync(root)).not.toContain("src");
    expect(readdirSync(root)).not.toContain("acme.config.ts");
  });

  it("adds a line to a .gitignore that does not end with one", () => {
    write("package.json", "{}");
    write(".gitignore", "dist");
    apply();
    expect(read(".gitignore")).toBe("dist\n.acme/\n");
  });

  it("allows pnpm to run the scripts of packages that have some, in the workspace that the project belongs to", () => {
    const apply = () => {
      for (const change of plan("pnpm").changes) change.apply?.();
      return plan("pnpm").changes.filter((change) => change.apply);
    };
    expect(apply()).toEqual([]);
    const file = join(root, "pnpm-workspace.yaml");
    expect(readFileSync(file, "utf8")).toBe("allowBuilds:\n  esbuild: true\n  workerd: true\n");

    writeFileSync(file, 'packages: ["jobs"]\nallowBuilds:\n  esbuild: false\n');
    expect(apply()).toEqual([]);
    expect(readFileSync(file, "utf8")).toBe(
      'packages: ["jobs"]\nallowBuilds:\n  workerd: true\n  esbuild: false\n',
    );
    const inner = join(root, "jobs");
    mkdirSync(inner);
    const { changes } = planInit({ root: inner, manager: "pnpm", project: "proj_test", version: "1.2.3" });
    expect(changes.find(({ file: name }) => name === "../pnpm-workspace.yaml")).not.toHaveProperty("apply");
    expect(plan("npm").changes.map(({ file: name }) => name)).not.toContain("pnpm-workspace.yaml");
  });

  it("refuses an invalid package.json", () => {
    write("package.json", "{ not json");
    expect(plan).toThrow(/package\.json is not JSON/);
    write("package.json", '{ "scripts": 1 }');
    expect(plan).toThrow(/is not a package\.json: scripts/);
  });
});

describe("the package manager", () => {
  it.each([
    ["package-lock.json", "npm"],
    ["pnpm-lock.yaml", "pnpm"],
    ["yarn.lock", "yarn"],
    ["bun.lock", "bun"],
    ["bun.lockb", "bun"],
  ])("is told by %s: %s", (file, manager) => {
    write(file, "");
    expect(packageManagerOf(root, {})).toBe(manager);
    // Also of a package in a workspace.
    write("packages/jobs/package.json", "{}");
    expect(packageManagerOf(join(root, "packages/jobs"), {})).toBe(manager);
  });

  it("is the one that package.json names, then the one that runs this, then npm", () => {
    expect(packageManagerOf(root, {})).toBe("npm");
    expect(packageManagerOf(root, { npm_config_user_agent: "bun/1.3.0 npm/? node/v24" })).toBe("bun");
    write("package-lock.json", "{}");
    write("package.json", '{ "packageManager": "pnpm@10.2.0" }');
    expect(packageManagerOf(root, { npm_config_user_agent: "bun/1.3.0" })).toBe("pnpm");
  });
});

describe("acme update", () => {
  it("sets the versions of Acme's packages, each in its own style, and of no others", () => {
    const json = {
      dependencies: { "@acme/sdk": "^0.1.0", zod: "^4.0.0" },
      devDependencies: { "@acme/cli": "0.1.0", "@acme/build": "file:../build", "@acme/x": "~0.1.0-beta.1" },
    };
    const { json: changed, updated } = withVersion(json, "2.0.0");
    expect(changed).toEqual({
      dependencies: { "@acme/sdk": "^2.0.0", zod: "^4.0.0" },
      devDependencies: { "@acme/cli": "2.0.0", "@acme/build": "file:../build", "@acme/x": "~2.0.0" },
    });
    expect(updated).toEqual([
      { name: "@acme/sdk", from: "^0.1.0", to: "^2.0.0" },
      { name: "@acme/cli", from: "0.1.0", to: "2.0.0" },
      { name: "@acme/build", from: "file:../build", to: null },
      { name: "@acme/x", from: "~0.1.0-beta.1", to: "~2.0.0" },
    ]);
    expect(withVersion(changed, "2.0.0").updated.filter(({ to }) => to)).toEqual([]);
  });
});
