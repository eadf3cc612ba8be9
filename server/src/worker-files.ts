import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { ClickHouseAddress } from "@acme/workers/clickhouse";
import type { DataDir } from "./data-dir.ts";
import { mostSockets, openFilesLimit } from "./file-descriptors.ts";
import { platform } from "./platform.ts";
import type { Settings } from "./settings.ts";
import { SECRET_BINDINGS, SECRETS_FOLDER } from "./worker-secrets.ts";
import { type ShardConfig, workerdConfig } from "./workerd-config.ts";

/** What differs between the processes of a server. */
export interface ProcessFiles {
  /** Folder of its configuration. */
  generated: string;
  /** Folder of its objects. */
  objects: string;
  shard?: ShardConfig;
}

/** Generates the Worker's module and a configuration of workerd for each process. Returns the configurations' paths. */
export async function writeWorkerFiles(options: {
  dir: DataDir;
  processes: ProcessFiles[];
  /** `host:port` to listen on. Absent: each process is handed its socket. */
  address?: string;
  /** Variables that differ from wrangler.toml's. */
  vars: Record<string, string> | undefined;
  settings: Settings;
  clickhouse: ClickHouseAddress | null;
  log(line: string): void;
}): Promise<string[]> {
  const { dir } = options;
  const module = join(dir.generated, "worker.mjs");
  const settings = platform.settings();
  const [dashboardPath] = await Promise.all([platform.dashboard(options.log), platform.writeWorker(module)]);
  const fromFiles = [...SECRET_BINDINGS, ...Object.keys(options.settings.worker)];
  const vars: Record<string, string> = {
    ...settings.vars,
    ...socketsVar(options.processes.length),
    ...(process.env.LOG_LEVEL ? { LOG_LEVEL: process.env.LOG_LEVEL } : {}),
    ...options.vars,
  };
  for (const name of fromFiles) delete vars[name];
  return options.processes.map(({ generated, objects, shard }) => {
    const configFile = join(generated, "workerd.capnp");
    const config = workerdConfig({
      address: options.address,
      shard,
      module: relative(generated, module),
      compatibilityDate: settings.compatibilityDate,
      compatibilityFlags: settings.compatibilityFlags,
      objects: settings.objects,
      secrets: Object.fromEntries(fromFiles.map((name) => [name, join(SECRETS_FOLDER, name)])),
      vars,
      networks: options.settings.networks,
      alertNetworks: options.settings.alertNetworks,
      certificates: options.settings.certificates,
      objectsPath: objects,
      blobsPath: dir.blobs,
      dashboardPath,
      ...(options.clickhouse ? { clickhouseUrl: options.clickhouse.url } : {}),
    });
    writeFileSync(configFile, config);
    return configFile;
  });
}

function socketsVar(processes: number): Record<string, string> {
  const most = mostSockets(openFilesLimit());
  if (most === null) return {};
  // A socket that reaches its object through another process needs descriptors in both.
  return { MAX_LIVE_SOCKETS: String(processes === 1 ? most : Math.floor(most / 2)) };
}
