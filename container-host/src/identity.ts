import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { newId } from "@acme/sdk/contract";
import { HostError } from "./errors.ts";
import { FolderInUseError, lockFolder } from "./folder-lock.ts";

/** Where one host keeps its files. */
export interface HostFolders {
  root: string;
  /** Fetched bundles, `HASH.mjs`. */
  bundles: string;
  /** One file for each process that was started, so that a later start can end what a killed host left behind. */
  processes: string;
  /** The bundled runtime. */
  runtime: string;
  /** Saved processes, unless they go elsewhere. */
  checkpoints: string;
  /** Working directory of processes. */
  work: string;
}

export interface HostIdentity {
  /** Stable across restarts. */
  hostId: string;
  folders: HostFolders;
  /** Lets another host use the folder. */
  unlock(): void;
}

/**
 * Takes a data folder for this process until `unlock` or its end, however it ends.
 * @throws HostError where another host has it
 */
export function takeDataFolder(path: string): HostIdentity {
  const root = resolve(path);
  const folders: HostFolders = {
    root,
    bundles: join(root, "bundles"),
    processes: join(root, "processes"),
    runtime: join(root, "runtime"),
    checkpoints: join(root, "checkpoints"),
    work: join(root, "work"),
  };
  mkdirSync(root, { recursive: true, mode: 0o700 });
  // A folder that was there before may be open to others.
  chmodSync(root, 0o700);
  for (const folder of [folders.bundles, folders.processes, folders.runtime, folders.work])
    mkdirSync(folder, { recursive: true });
  const unlock = lock(root);
  return { hostId: hostIdOf(root), folders, unlock };
}

function lock(root: string): () => void {
  try {
    return lockFolder(root, "host");
  } catch (error) {
    if (!(error instanceof FolderInUseError)) throw error;
    throw new HostError(
      `${root} is in use by another container host (process ${error.owner}). Stop that one, or choose another folder with --data DIR.`,
    );
  }
}

function hostIdOf(root: string): string {
  const file = join(root, "host-id");
  if (existsSync(file)) {
    const id = readFileSync(file, "utf8").trim();
    if (/^[\w.-]{1,128}$/.test(id)) return id;
  }
  const id = newId("host");
  writeFileSync(`${file}.new`, `${id}\n`);
  renameSync(`${file}.new`, file);
  return id;
}
