import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export interface TestBundle {
  bytes: Buffer;
  hash: string;
}

export const bundleOf = (code: string): TestBundle => {
  const bytes = Buffer.from(code);
  return { bytes, hash: createHash("sha256").update(bytes).digest("hex") };
};

let project: Promise<TestBundle> | undefined;

/** The fixture project as `acme deploy` would upload it. */
export function projectBundle(): Promise<TestBundle> {
  project ??= build({
    entryPoints: [fileURLToPath(new URL("../fixtures/project.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  }).then((result) => bundleOf(result.outputFiles[0]?.text ?? ""));
  return project;
}
