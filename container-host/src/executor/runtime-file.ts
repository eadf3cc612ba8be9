import { createHash } from "node:crypto";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RUNTIME_ENTRY } from "@acme/sdk/runtime";
import { build } from "esbuild";

/** Bundles the runtime into one ES module, which starts faster than its sources and needs no other files. */
export async function bundleRuntime(): Promise<{ code: Buffer; hash: string }> {
  const result = await build({
    entryPoints: [fileURLToPath(RUNTIME_ENTRY)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node24",
    minifySyntax: true,
    legalComments: "none",
    // CommonJS parts load built-in modules with `require`.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
  const code = Buffer.from((result.outputFiles[0] as { contents: Uint8Array }).contents);
  return { code, hash: createHash("sha256").update(code).digest("hex") };
}

/** Writes the runtime into `folder` unless it is there. Returns its path. */
export async function runtimeFile(folder: string): Promise<string> {
  const { code, hash } = await bundleRuntime();
  const file = join(folder, `${hash.slice(0, 16)}.mjs`);
  if (!existsSync(file)) {
    writeFileSync(`${file}.new`, code);
    renameSync(`${file}.new`, file);
  }
  return file;
}
