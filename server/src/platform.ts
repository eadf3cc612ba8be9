import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeBundle } from "./bundle-cache.ts";
import { buildDashboard } from "./dashboard-build.ts";
import { bundleWorker } from "./worker-bundle.ts";
import { readWranglerConfig, type WorkerSettings } from "./wrangler-config.ts";

/**
 * The files that the server runs: built from their sources in a checkout, prebuilt in the published package.
 */
export interface Platform {
  /** The settings of wrangler.toml. */
  settings(): WorkerSettings;
  /** Writes the Worker as one module. @throws ServerError with the compiler's messages */
  writeWorker(outfile: string): Promise<void>;
  /** The folder with the dashboard's files. @throws ServerError with the compiler's messages */
  dashboard(log: (line: string) => void): Promise<string>;
  /** The container host's program. */
  host: string;
  /** The project of `acme up --example`. */
  example: string;
}

export const isCheckout = import.meta.url.endsWith(".ts");

export const platform: Platform = isCheckout
  ? checkout(fileURLToPath(new URL("../..", import.meta.url)))
  : published(fileURLToPath(new URL(".", import.meta.url)));

function checkout(root: string): Platform {
  const settings = () => readWranglerConfig(join(root, "wrangler.toml"));
  return {
    settings,
    async writeWorker(outfile) {
      await writeBundle({
        root,
        outfile,
        cacheFile: join(root, "node_modules/.cache/acme-worker.mjs"),
        bundle: () => bundleWorker({ root, main: settings().main, outfile, sourceMap: true }),
      });
    },
    dashboard: (log) => buildDashboard(root, log),
    host: join(root, "container-host/src/main.ts"),
    example: join(root, "examples/hello-world"),
  };
}

/** `lib`: the folder of the package's modules, as scripts/packages/cli.ts lays it out. */
function published(lib: string): Platform {
  const folder = join(lib, "platform");
  return {
    settings: () => readWranglerConfig(join(folder, "wrangler.toml")),
    writeWorker: async (outfile) => copyFileSync(join(folder, "worker.mjs"), outfile),
    dashboard: async () => join(folder, "dashboard"),
    host: join(lib, "host.js"),
    example: join(folder, "example"),
  };
}
