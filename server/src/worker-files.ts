import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClickHouseAddress } from "@acme/workers/clickhouse";
import type { DataDir } from "./data-dir.ts";
import { mostSockets, openFilesLimit } from "./file-descriptors.ts";
import { platform } from "./platform.ts";
import type { Settings } from "./settings.ts";
import { SECRET_BINDINGS, SECRETS_FOLDER } from "./worker-secrets.ts";
import { workerdConfig } from "./workerd-config.ts";

/** Generates the Worker's module and workerd's configuration. Returns the configuration's path. */
export async function writeWorkerFiles(options: {
  dir: DataDir;
  /** `host:port` to listen on. */
  address: string;
  /** Variables that differ from wrangler.toml's. */
  vars: Record<string, string> | undefined;
  settings: Settings;
  clickhouse: ClickHouseAddress | null;
  log(line: string): void;
}): Promise<string> {
  const { dir } = options;
  const settings = platform.settings();
  const [dashboardPath] = await Promise.all([
    platform.dashboard(options.log),
    platform.writeWorker(join(dir.generated, "worker.mjs")),
  ]);
  const configFile = join(dir.generated, "workerd.capnp");
  const fromFiles = [...SECRET_BINDINGS, ...Object.keys(options.settings.worker)];
  const vars: Record<string, string> = {
    ...settings.vars,
    ...socketsVar(),
    ...(process.env.LOG_LEVEL ? { LOG_LEVEL: process.env.LOG_LEVEL } : {}),
    ...options.vars,
  };
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
    alertNetworks: options.settings.alertNetworks,
    certificates: options.settings.certificates,
    objectsPath: dir.objects,
    blobsPath: dir.blobs,
    dashboardPath,
    ...(options.clickhouse ? { clickhouseUrl: options.clickhouse.url } : {}),
  });
  writeFileSync(configFile, config);
  return configFile;
}

function socketsVar(): Record<string, string> {
  const most = mostSockets(openFilesLimit());
  return most === null ? {} : { MAX_LIVE_SOCKETS: String(most) };
}
