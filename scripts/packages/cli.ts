import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { readWorkspace, writePackageFiles } from "./manifest.ts";
import { noticesOf } from "./notices.ts";
import { REQUIRE_BANNER } from "./require-banner.ts";

/**
 * Packages that are installed beside the CLI: those with binaries or native code, and the SDK, whose files the CLI bundles into
 * projects. Everything else becomes part of the CLI's few files.
 */
const INSTALLED = {
  cli: ["@acme/sdk", "esbuild"],
  server: ["workerd"],
};

/** Builds `@acme/cli`: the command line, the container host, and the platform that `acme up` runs. */
export async function buildCli(root: string, out: string, log: (line: string) => void): Promise<void> {
  const lib = join(out, "lib");
  mkdirSync(lib, { recursive: true });
  const dependencies = Object.fromEntries(
    Object.entries(INSTALLED).flatMap(([workspace, names]) => {
      const versions = readWorkspace(join(root, workspace)).dependencies;
      return names.map((name) => [name, versions[name] ?? missing(workspace, name)]);
    }),
  );
  const notices = await Promise.all([
    bundlePrograms(root, lib),
    buildPlatform(root, join(lib, "platform"), log),
  ]);
  writeFileSync(join(out, "THIRD_PARTY_NOTICES"), noticesOf(root, notices.flat()));
  mkdirSync(join(out, "bin"));
  copyFileSync(join(root, "cli/bin/published.mjs"), join(out, "bin/acme.mjs"));
  chmodSync(join(out, "bin/acme.mjs"), 0o755);
  copyFileSync(join(root, "cli/base-image.sh"), join(out, "base-image.sh"));
  writePackageFiles(root, "cli", out, {
    engines: { node: ">=22.13" },
    bin: { acme: "bin/acme.mjs" },
    exports: { "./package.json": "./package.json" },
    files: ["base-image.sh", "bin", "lib", "CHANGELOG.md", "THIRD_PARTY_NOTICES"],
    dependencies,
  });
}

/**
 * Replaces dockerode's ssh transport, which the container host does not use: its package has native code and
 * runs scripts when it is installed.
 */
const withoutSsh: Plugin = {
  name: "without-ssh",
  setup(build) {
    build.onResolve({ filter: /^ssh2$/ }, ({ path }) => ({ path, namespace: "without-ssh" }));
    build.onLoad({ filter: /.*/, namespace: "without-ssh" }, () => ({
      contents: `exports.Client = class {
        constructor() { throw new Error("An Engine at ssh://… can't be used: use a socket or tcp://…"); }
      };`,
    }));
  },
};

function missing(workspace: string, name: string): never {
  throw new Error(`${workspace}/package.json does not depend on ${name}`);
}

/** Returns the source files that are part of the package. */
async function bundlePrograms(root: string, lib: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { acme: "cli/src/main.ts", host: "container-host/src/main.ts" },
    outdir: lib,
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node22",
    banner: { js: REQUIRE_BANNER },
    external: [
      ...Object.values(INSTALLED)
        .flat()
        .filter((name) => name !== "@acme/sdk"),
      "@acme/sdk/runtime",
    ],
    plugins: [withoutSsh],
    legalComments: "none",
    metafile: true,
    logLevel: "error",
  });
  return Object.keys(metafile.inputs);
}

/** What `acme up` serves: the Worker with its settings, the dashboard, and the example. */
async function buildPlatform(root: string, out: string, log: (line: string) => void): Promise<string[]> {
  mkdirSync(out, { recursive: true });
  const { bundleWorker } = await import("../../server/src/worker-bundle.ts");
  const { readWranglerConfig } = await import("../../server/src/wrangler-config.ts");
  const wrangler = join(root, "wrangler.toml");
  const inputs = await bundleWorker({
    root,
    main: readWranglerConfig(wrangler).main,
    outfile: join(out, "worker.mjs"),
    sourceMap: false,
  });
  copyFileSync(wrangler, join(out, "wrangler.toml"));
  const dashboard = spawnSync(process.execPath, [join(root, "dashboard/build.mjs")], { encoding: "utf8" });
  if (dashboard.status !== 0) throw new Error(`The dashboard could not be built:\n${dashboard.stderr}`);
  if (dashboard.stdout) log(dashboard.stdout.trim());
  cpSync(join(root, "dashboard/build"), join(out, "dashboard"), { recursive: true });
  const example = join(root, "examples/hello-world");
  for (const name of ["acme.config.ts", "src"])
    cpSync(join(example, name), join(out, "example", name), { recursive: true });
  return inputs;
}
