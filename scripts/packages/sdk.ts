import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { z } from "zod";
import { readWorkspace, writePackageFiles } from "./manifest.ts";
import { REQUIRE_BANNER } from "./require-banner.ts";

/**
 * Programs that are started as processes. Each is one file, because loading the many source modules is slow.
 */
const PROGRAMS = ["runtime/main", "runtime/indexer"];

const Manifest = z.object({
  exports: z.record(z.string(), z.string()),
  imports: z.record(z.string(), z.record(z.string(), z.string())),
});

/** Builds `@acme/sdk`: an ES module and its types for each source file. */
export async function buildSdk(root: string, out: string): Promise<void> {
  const source = join(root, "sdk");
  const lib = join(out, "lib");
  mkdirSync(lib, { recursive: true });
  compile(root, lib);
  for (const file of readdirSync(lib, { recursive: true, encoding: "utf8" }))
    if (file.endsWith(".d.ts")) pointToJavaScript(join(lib, file));
  await build({
    entryPoints: PROGRAMS.map((name) => join(source, `src/${name}.ts`)),
    outbase: join(source, "src"),
    outdir: lib,
    allowOverwrite: true,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    banner: { js: REQUIRE_BANNER },
    legalComments: "none",
    logLevel: "error",
  });
  const { exports, imports } = Manifest.parse(JSON.parse(readFileSync(join(source, "package.json"), "utf8")));
  writePackageFiles(root, "sdk", out, {
    engines: { node: ">=18" },
    imports: Object.fromEntries(
      Object.entries(imports).map(([name, files]) => [
        name,
        Object.fromEntries(Object.entries(files).map(([condition, file]) => [condition, compiled(file)])),
      ]),
    ),
    exports: {
      ...Object.fromEntries(Object.entries(exports).map(([path, file]) => [path, compiled(file)])),
      "./package.json": "./package.json",
    },
    // A bundler may drop modules without used exports, but not those whose side effects set up a process.
    sideEffects: PROGRAMS.map((name) => `./lib/${name}.js`),
    files: ["lib", "CHANGELOG.md"],
    dependencies: readWorkspace(source).dependencies,
  });
}

const compiled = (source: string): { types: string; default: string } => {
  const base = source.replace(/^\.\/src\//, "./lib/").replace(/\.ts$/, "");
  return { types: `${base}.d.ts`, default: `${base}.js` };
};

function compile(root: string, outDir: string): void {
  const tsc = join(root, "node_modules/.bin/tsc");
  const { status, stdout, error } = spawnSync(
    tsc,
    ["-p", join(root, "sdk/tsconfig.build.json"), "--outDir", outDir],
    { encoding: "utf8" },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`The SDK could not be compiled:\n${stdout}`);
}

/** tsc rewrites the extensions of relative imports in JavaScript, but not in declarations. */
function pointToJavaScript(file: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/((?:from|import)\s*\(?\s*")(\.[^"]+)\.ts"/g, '$1$2.js"'));
}
