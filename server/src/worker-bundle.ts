import { build } from "esbuild";
import { ServerError } from "./errors.ts";

/**
 * Bundles the Worker into one ES module.
 * @throws ServerError with the compiler's messages
 */
export async function bundleWorker(options: { root: string; main: string; outfile: string }): Promise<void> {
  try {
    await build({
      entryPoints: [options.main],
      absWorkingDir: options.root,
      outfile: options.outfile,
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2024",
      conditions: ["workerd", "worker", "browser"],
      external: ["node:*", "cloudflare:*"],
      sourcemap: "inline",
      sourcesContent: false,
      logLevel: "silent",
    });
  } catch (error) {
    throw new ServerError(
      `The Worker could not be bundled:\n${error instanceof Error ? error.message : error}`,
    );
  }
}
