import { chmodSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

/** The folder in which a server keeps everything. Only one server uses it at a time. */
export interface DataDir {
  root: string;
  /** SQLite files of the Durable Objects, of the first process if there are several. */
  objects: string;
  /** A folder for each further process. */
  shards: string;
  /** Which process has which environment. */
  placementsFile: string;
  /** Bundles and large payloads. */
  blobs: string;
  /** The container host's own files: fetched bundles, sockets. */
  host: string;
  /** Generated at every start: the Worker's module and workerd's configuration. */
  generated: string;
  secretsFile: string;
  /** The operator's settings: mail, sign-in, networks. */
  settingsFile: string;
  /** What a client needs to call this server. */
  localFile: string;
  /** The version that last wrote the folder. */
  versionFile: string;
  /** Current process ids of the server and its parts. */
  pidsFile: string;
}

/** Returns the layout of a data folder. Creates what is missing; only its owner may read it. */
export function openDataDir(path: string): DataDir {
  const root = resolve(path);
  const dir: DataDir = {
    root,
    objects: join(root, "objects"),
    shards: join(root, "shards"),
    placementsFile: join(root, "placements.json"),
    blobs: join(root, "blobs"),
    host: join(root, "host"),
    generated: join(root, "generated"),
    secretsFile: join(root, "secrets.json"),
    settingsFile: join(root, "settings.env"),
    localFile: join(root, "local.json"),
    versionFile: join(root, "version.json"),
    pidsFile: join(root, "pids.json"),
  };
  mkdirSync(root, { recursive: true, mode: 0o700 });
  // An existing folder may be readable by other users.
  chmodSync(root, 0o700);
  for (const path of [dir.objects, dir.blobs, dir.host, dir.generated]) mkdirSync(path, { recursive: true });
  return dir;
}
