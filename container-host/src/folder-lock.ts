import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Another process has locked the folder. */
export class FolderInUseError extends Error {
  override name = "FolderInUseError";
  /** The pid that this process has written. */
  readonly owner: string;

  constructor(folder: string, owner: string) {
    super(`${folder} is in use by process ${owner}`);
    this.owner = owner;
  }
}

/**
 * Takes a folder for this process until the returned function is called or the process ends, however it ends: the
 * operating system holds the lock (SQLite's file lock, `NAME.lock`), so there is no stale one. `NAME.pid` only names the owner.
 * @throws FolderInUseError if another process has it under this name
 */
export function lockFolder(folder: string, name: string): () => void {
  const pidFile = join(folder, `${name}.pid`);
  const database = new DatabaseSync(join(folder, `${name}.lock`), { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (error) {
    database.close();
    if (!/locked/i.test(String(error))) throw error;
    throw new FolderInUseError(folder, ownerOf(pidFile));
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return () => database.close();
}

function ownerOf(pidFile: string): string {
  try {
    return readFileSync(pidFile, "utf8").trim();
  } catch {
    return "unknown";
  }
}
