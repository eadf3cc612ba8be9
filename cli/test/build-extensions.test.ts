/**
 * The unchanged extensions of `@trigger.dev/build` 4.8.3, and the Dockerfile that results from their
 * additions.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildExtension } from "@acme/sdk";
import { audioWaveform } from "@trigger.dev/build/extensions/audioWaveform";
import { additionalPackages, aptGet, ffmpeg, syncEnvVars } from "@trigger.dev/build/extensions/core";
import { playwright } from "@trigger.dev/build/extensions/playwright";
import { prismaExtension } from "@trigger.dev/build/extensions/prisma";
import { puppeteer } from "@trigger.dev/build/extensions/puppeteer";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Extensions } from "../src/extensions/extensions.ts";
import { dockerfile } from "../src/image/dockerfile.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "acme-extensions-"));
  writeFileSync(join(root, "package.json"), "{}");
  mkdirSync(join(root, "prisma/migrations/1"), { recursive: true });
  writeFileSync(join(root, "prisma/schema.prisma"), "model A { id Int @id }");
  writeFileSync(join(root, "prisma/migrations/1/migration.sql"), "SELECT 1;");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Returns the layers and the image's Dockerfile of a deployment with this extension. */
async function deploymentWith(
  extension: unknown,
  { externals = {}, branch }: { externals?: Record<string, string>; branch?: string } = {},
) {
  const config = { project: "proj_a", build: { extensions: [extension as BuildExtension] } };
  const started = await Extensions.start({ root, configFile: "acme.config.ts", config }, "deploy");
  const outputPath = join(root, "output");
  mkdirSync(outputPath);
  const layers = await started.complete({
    runtime: "node",
    environment: "preview",
    branch,
    contentHash: "hash",
    outputPath,
    config: { project: "proj_a", dirs: [] },
    externals: Object.entries(externals).map(([name, version]) => ({ name, version })),
    files: [],
    deploy: { env: {} },
  });
  const dependencies = { ...externals, ...layers.dependencies };
  const image = dockerfile({ base: "debian", projectRef: "proj_a", layers, dependencies, compiles: false });
  const [base = "", build = ""] = image.split("FROM base AS build");
  return { layers, dependencies, base, build, outputPath, notBundled: started.externals };
}

it("ffmpeg installs Debian's, and says where it is", async () => {
  const { base, layers } = await deploymentWith(ffmpeg());
  expect(base).toContain("apt-get install -y --no-install-recommends ffmpeg &&");
  expect(layers.variables).toEqual([
    {
      values: { FFMPEG_PATH: "/usr/bin/ffmpeg", FFPROBE_PATH: "/usr/bin/ffprobe" },
      ofParent: false,
      isSecret: false,
      override: true,
    },
  ]);
});

it("ffmpeg 7 is the static build, after Debian's tools", async () => {
  const { base } = await deploymentWith(ffmpeg({ version: "7" }));
  expect(base).toMatch(/^RUN apt-get update .*wget.*ffmpeg-git-amd64-static\.tar\.xz/m);
});

it("puppeteer installs Chrome in the base, so that it is in the image that runs", async () => {
  const { base, build, layers } = await deploymentWith(puppeteer());
  expect(base).toContain("google-chrome-stable");
  expect(build).not.toContain("google-chrome-stable");
  expect(layers.variables[0]?.values).toEqual({ PUPPETEER_EXECUTABLE_PATH: "/usr/bin/google-chrome-stable" });
});

it("playwright gets the project's version of the package, and is not bundled", async () => {
  const { base, dependencies, layers, notBundled } = await deploymentWith(playwright(), {
    externals: { playwright: "1.56.1" },
  });
  expect(notBundled).toEqual(["playwright"]);
  expect(dependencies).toEqual({ playwright: "1.56.1" });
  expect(base).toContain("RUN npm install -g playwright@1.56.1");
  expect(base).toContain("libnss3");
  expect(base).toContain("chromium-headless-shell");
  // Each instruction begins a line, also those that are continued.
  expect(base.split("\n").filter((line) => /^RUN /.test(line)).length).toBeGreaterThan(7);
  expect(layers.variables[0]?.values).toMatchObject({ PLAYWRIGHT_BROWSERS_PATH: "/ms-playwright" });
});

it("prisma's schema and migrations are in the working directory where its client is generated", async () => {
  const extension = prismaExtension({ mode: "legacy", schema: "prisma/schema.prisma", migrate: true });
  const { build, dependencies, notBundled, outputPath } = await deploymentWith(extension, {
    externals: { "@prisma/client": "6.19.0" },
  });
  expect(notBundled).toEqual(["@prisma/client", "@prisma/engines"]);
  expect(dependencies).toMatchObject({ "@prisma/client": "6.19.0", prisma: "6.19.0" });
  expect(readFileSync(join(outputPath, "prisma/schema.prisma"), "utf8")).toContain("model A");
  expect(readFileSync(join(outputPath, "prisma/migrations/1/migration.sql"), "utf8")).toBe("SELECT 1;");
  const at = [
    "RUN npm install",
    "COPY . .",
    "prisma/build/index.js migrate deploy",
    "prisma/build/index.js generate",
  ].map((text) => build.indexOf(text));
  expect(at).toEqual([...at].sort((a, b) => a - b));
  expect(at).not.toContain(-1);
});

it("prisma without a schema fails with its own message", async () => {
  const extension = prismaExtension({ mode: "legacy", schema: "nowhere.prisma" });
  await expect(deploymentWith(extension)).rejects.toThrow(
    /build extension "PrismaExtension" failed \(onBuildStart\): .*could not find the prisma schema/,
  );
});

it("audioWaveform, aptGet and additionalPackages add theirs", async () => {
  expect((await deploymentWith(audioWaveform())).base).toMatch(/sox[\s\S]*ADD --checksum=sha256:/);
  rmSync(join(root, "output"), { recursive: true });
  expect((await deploymentWith(aptGet({ packages: ["cowsay"] }))).base).toContain("cowsay");
  rmSync(join(root, "output"), { recursive: true });
  const { dependencies } = await deploymentWith(additionalPackages({ packages: ["wrangler@4.0.0"] }));
  expect(dependencies).toEqual({ wrangler: "4.0.0" });
});

it("syncEnvVars learns the branch, and sets variables of it and of its parent", async () => {
  const asked: unknown[] = [];
  const extension = syncEnvVars(({ branch, environment, projectRef }) => {
    asked.push({ branch, environment, projectRef });
    return [
      { name: "OWN", value: "1" },
      { name: "SHARED", value: "2", isParentEnv: true },
    ];
  });
  const { layers } = await deploymentWith(extension, { branch: "feat/search" });
  expect(asked).toEqual([{ branch: "feat/search", environment: "preview", projectRef: "proj_a" }]);
  expect(layers.variables.map(({ values, ofParent }) => [values, ofParent])).toEqual([
    [{ OWN: "1" }, false],
    [{ SHARED: "2" }, true],
  ]);
});
