import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const PACKAGES = join(import.meta.dirname, "engine");
/** Enough to download some 150 MB of packages over a slow connection. */
const DEADLINE_MS = 8 * 60_000;
/** A lock this old belongs to a process that died. */
const STALE_LOCK_MS = DEADLINE_MS + 60_000;

/** The folder of the installed engine: one for each exact set of versions. */
function engineFolder(): string {
  const lock = readFileSync(join(PACKAGES, "package-lock.json"));
  const version = createHash("sha256").update(lock).digest("hex").slice(0, 16);
  const cache = process.env.ACME_CACHE_DIR ?? join(homedir(), ".cache", "acme");
  return join(cache, `clickhouse-${version}`);
}

/**
 * Installs the engine unless it is there, and returns its folder. Several processes may ask at once: one installs, and the
 * others wait for it.
 */
export async function installEngine(log: (line: string) => void = () => {}): Promise<string> {
  const folder = engineFolder();
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const lock = `${folder}.lock`;
  while (!takeLock(lock)) {
    await delay(250);
    if (existsSync(folder)) return folder;
  }
  try {
    if (!existsSync(folder)) {
      log("Installing ClickHouse for local use (546 MB on disk, once)");
      await install(folder);
    }
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
  return folder;
}

function takeLock(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  try {
    if (Date.now() - statSync(lock).mtimeMs > STALE_LOCK_MS) rmSync(lock, { recursive: true, force: true });
  } catch {
    // Its owner has removed it in the meantime.
  }
  return false;
}

/** Installs into a temporary folder and renames that, so that an existing folder is complete. */
async function install(folder: string): Promise<void> {
  const partial = mkdtempSync(`${folder}-`);
  try {
    cpSync(PACKAGES, partial, { recursive: true });
    await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], partial);
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw new Error("ClickHouse for local use could not be installed: npm could not get the package chdb", {
      cause: error,
    });
  }
}

function run(command: string, args: string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: DEADLINE_MS });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(output.trim()))));
  });
}
