import { build } from "esbuild";
import { ServerError } from "./errors.ts";

/**
 * Bundles the Worker into one ES module. Returns its source files.
 * @throws ServerError with the compiler's messages
 */
export async function bundleWorker(options: {
  root: string;
  main: string;
  outfile: string;
  sourceMap: boolean;
}): Promise<string[]> {
  try {
    const { metafile } = await build({
      entryPoints: [options.main],
      absWorkingDir: options.root,
      outfile: options.outfile,
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2024",
      conditions: ["workerd", "worker", "browser"],
      external: ["node:*", "cloudflare:*"],
      sourcemap: options.sourceMap ? "inline" : false,
      sourcesContent: false,
      legalComments: "none",
      metafile: true,
      logLevel: "silent",
    });
    return Object.keys(metafile.inputs);
  } catch (error) {
    throw new ServerError(
      `The Worker could not be bundled:\n${error instanceof Error ? error.message : error}`,
    );
  }
}
