/**
 * `npm run packages [-- --out DIR]`: builds what is published to npm, each package in its own folder with its
 * own package.json. It does not pack them: use `npm pack DIR/sdk`, or `npm run release` in the release
 * workflow.
 */
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildCli } from "./cli.ts";
import { buildSdk } from "./sdk.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Builds the public packages into `out`. Returns their folders, by the name of their workspace. */
export async function buildPackages(
  out: string,
  log: (line: string) => void = () => {},
): Promise<Record<"sdk" | "cli", string>> {
  const folders = { sdk: join(out, "sdk"), cli: join(out, "cli") };
  for (const folder of Object.values(folders)) rmSync(folder, { recursive: true, force: true });
  await Promise.all([buildSdk(ROOT, folders.sdk), buildCli(ROOT, folders.cli, log)]);
  return folders;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { out: { type: "string", default: join(ROOT, "dist/packages") } },
  });
  const folders = await buildPackages(resolve(values.out), (line) => console.error(line));
  for (const folder of Object.values(folders)) console.log(folder);
}
