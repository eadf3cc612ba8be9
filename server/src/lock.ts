import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ServerError } from "./errors.ts";

/**
 * Takes a data folder for this process until the returned function is called or the process ends, however it ends:
 * the operating system holds the lock (SQLite's file lock), so there is no stale one. `server.pid` only names the owner.
 * @throws ServerError where another process has it
 */
export function lockDataDir(root: string): () => void {
  const pidFile = join(root, "server.pid");
  const database = new DatabaseSync(join(root, "server.lock"), { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (error) {
    database.close();
    if (!/locked/i.test(String(error))) throw error;
    throw new ServerError(
      `${root} is in use by another server (process ${ownerOf(pidFile)}). Stop that one, or choose another folder with --data DIR.`,
    );
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
