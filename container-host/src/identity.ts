import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { hostOfCredential, newHostCredential, newId } from "@acme/sdk/contract";
import { HostError } from "./errors.ts";
import { FolderInUseError, lockFolder } from "./folder-lock.ts";

/** The folders in which one host keeps its files. */
export interface HostFolders {
  root: string;
  /** Fetched bundles, `HASH.mjs`. */
  bundles: string;
  /** One file for each process that was started, so that the next start can end the processes of a killed host. */
  processes: string;
  /** The bundled runtime. */
  runtime: string;
  /** Saved processes, unless `checkpointDir` is set. */
  checkpoints: string;
  /** Telemetry that has not been sent yet. */
  telemetry: string;
  /** Working directory of processes. */
  work: string;
}

export interface HostIdentity {
  /** Stable across restarts. */
  hostId: string;
  /** The credential that the host sends to the server. It is created once, before the registration. */
  credential: string;
  folders: HostFolders;
  /** Releases the folder for another host. */
  unlock(): void;
}

/**
 * Takes a data folder for this process until `unlock` or its end, however it ends.
 * @throws HostError if another host has it
 */
export function takeDataFolder(path: string): HostIdentity {
  const root = resolve(path);
  const folders: HostFolders = {
    root,
    bundles: join(root, "bundles"),
    processes: join(root, "processes"),
    runtime: join(root, "runtime"),
    checkpoints: join(root, "checkpoints"),
    telemetry: join(root, "telemetry"),
    work: join(root, "work"),
  };
  mkdirSync(root, { recursive: true, mode: 0o700 });
  // An existing folder may be readable by other users.
  chmodSync(root, 0o700);
  for (const folder of [folders.bundles, folders.processes, folders.runtime, folders.work])
    mkdirSync(folder, { recursive: true });
  const unlock = lock(root);
  const hostId = hostIdOf(root);
  return { hostId, credential: credentialOf(root, hostId), folders, unlock };
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
  writeWhole(file, id);
  return id;
}

/** A credential of another host id, or a damaged one, is replaced: the host then registers under a new id. */
function credentialOf(root: string, hostId: string): string {
  const file = join(root, "host-credential");
  if (existsSync(file)) {
    const known = readFileSync(file, "utf8").trim();
    if (hostOfCredential(known) === hostId) return known;
  }
  const credential = newHostCredential(hostId);
  writeWhole(file, credential);
  return credential;
}

/**
 * Writes a file that only the host's user can read, atomically even if the process or the machine crashes.
 */
function writeWhole(file: string, text: string): void {
  const temporary = openSync(`${file}.new`, "w", 0o600);
  writeSync(temporary, `${text}\n`);
  fsyncSync(temporary);
  closeSync(temporary);
  renameSync(`${file}.new`, file);
}
