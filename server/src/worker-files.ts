import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildDashboard } from "./dashboard-build.ts";
import type { DataDir } from "./data-dir.ts";
import { bundleWorker } from "./worker-bundle.ts";
import { workerdConfig } from "./workerd-config.ts";
import { readWranglerConfig } from "./wrangler-config.ts";

/** Secrets of the Worker: workerd takes them from its environment, so that they stay out of the generated files. */
export const SECRET_VARIABLES = ["HOST_TOKEN", "ADMIN_TOKEN", "SIGNING_KEY", "SIGNING_KEYS"] as const;

/** Generates what workerd serves: the Worker's module and the configuration. Returns the configuration's path. */
export async function writeWorkerFiles(options: {
  /** The checkout. */
  root: string;
  dir: DataDir;
  /** `host:port` to listen on. */
  address: string;
  /** Variables that differ from wrangler.toml's. */
  vars: Record<string, string> | undefined;
  log(line: string): void;
}): Promise<string> {
  const { root, dir } = options;
  const settings = readWranglerConfig(join(root, "wrangler.toml"));
  const [dashboardPath] = await Promise.all([
    buildDashboard(root, options.log),
    bundleWorker({ root, main: settings.main, outfile: join(dir.generated, "worker.mjs") }),
  ]);
  const configFile = join(dir.generated, "workerd.capnp");
  const config = workerdConfig({
    address: options.address,
    module: "worker.mjs",
    compatibilityDate: settings.compatibilityDate,
    compatibilityFlags: settings.compatibilityFlags,
    objects: settings.objects,
    environmentVariables: [...SECRET_VARIABLES],
    vars: { ...settings.vars, ...options.vars },
    objectsPath: dir.objects,
    blobsPath: dir.blobs,
    dashboardPath,
  });
  writeFileSync(configFile, config);
  return configFile;
}
