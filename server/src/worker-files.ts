import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildDashboard } from "./dashboard-build.ts";
import type { DataDir } from "./data-dir.ts";
import { mostSockets, openFilesLimit } from "./file-descriptors.ts";
import type { Settings } from "./settings.ts";
import { bundleWorker } from "./worker-bundle.ts";
import { SECRET_BINDINGS, SECRETS_FOLDER } from "./worker-secrets.ts";
import { workerdConfig } from "./workerd-config.ts";
import { readWranglerConfig } from "./wrangler-config.ts";

/** Generates what workerd serves: the Worker's module and the configuration. Returns the configuration's path. */
export async function writeWorkerFiles(options: {
  /** The checkout. */
  root: string;
  dir: DataDir;
  /** `host:port` to listen on. */
  address: string;
  /** Variables that differ from wrangler.toml's. */
  vars: Record<string, string> | undefined;
  settings: Settings;
  log(line: string): void;
}): Promise<string> {
  const { root, dir } = options;
  const settings = readWranglerConfig(join(root, "wrangler.toml"));
  const [dashboardPath] = await Promise.all([
    buildDashboard(root, options.log),
    bundleWorker({ root, main: settings.main, outfile: join(dir.generated, "worker.mjs") }),
  ]);
  const configFile = join(dir.generated, "workerd.capnp");
  const fromFiles = [...SECRET_BINDINGS, ...Object.keys(options.settings.worker)];
  const vars = { ...settings.vars, ...socketsVar(), ...options.vars };
  for (const name of fromFiles) delete vars[name];
  const config = workerdConfig({
    address: options.address,
    module: "worker.mjs",
    compatibilityDate: settings.compatibilityDate,
    compatibilityFlags: settings.compatibilityFlags,
    objects: settings.objects,
    secrets: Object.fromEntries(fromFiles.map((name) => [name, join(SECRETS_FOLDER, name)])),
    vars,
    networks: options.settings.networks,
    certificates: options.settings.certificates,
    objectsPath: dir.objects,
    blobsPath: dir.blobs,
    dashboardPath,
  });
  writeFileSync(configFile, config);
  return configFile;
}

function socketsVar(): Record<string, string> {
  const most = mostSockets(openFilesLimit());
  return most === null ? {} : { MAX_LIVE_SOCKETS: String(most) };
}
