import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
export const folder = () => mkdtempSync(join(tmpdir(), "acme-sdk-"));
export const source = (path) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
const fixture = (path) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
/** Bundles a fixture as the CLI bundles a project: with a copy of the SDK of its own. Returns the bundle's path. */
export async function bundleFixture(file) {
  const outfile = join(folder(), "bundle.mjs");
  await build({
    entryPoints: [fixture(file)],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    sourcemap: "inline",
    alias: {
      "@acme/sdk/bundle": source("define/bundle.ts"),
      "@acme/sdk": source("index.ts"),
      "@trigger.dev/sdk/v3": source("index.ts"),
      "@trigger.dev/sdk": source("index.ts"),
    },
  });
  return outfile;
}
