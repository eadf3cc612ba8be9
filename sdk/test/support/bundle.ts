import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const folder = (): string => mkdtempSync(join(tmpdir(), "acme-sdk-"));
export const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
const fixture = (path: string): string => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));

/**
 * Bundles a fixture as the CLI bundles a project, with its own copy of the SDK. Returns the bundle's path.
 */
export async function bundleFixture(file: string): Promise<string> {
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
