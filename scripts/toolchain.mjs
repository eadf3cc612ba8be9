/**
 * Prepares a checkout and runs its programs with its own Node.js. Plain JavaScript without dependencies: it
 * runs before anything is installed and on the system's Node.js, 18 or newer.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's top folder. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MODULES = join(ROOT, "node_modules");
const NODE = join(MODULES, ".bin", process.platform === "win32" ? "node.cmd" : "node");
/** Contains the hash of the package-lock.json with which node_modules last agreed. */
const STAMP = join(MODULES, ".acme-lock-hash");

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/**
 * Returns whether every package that npm has to install is installed in the locked version, by npm's own
 * record.
 */
function agreesWithLock() {
  const installedPath = join(MODULES, ".package-lock.json");
  if (!existsSync(installedPath) || !existsSync(NODE)) return false;
  const installed = readJson(installedPath).packages;
  return Object.entries(readJson(join(ROOT, "package-lock.json")).packages).every(([path, locked]) => {
    if (!path.startsWith("node_modules/") && !path.includes("/node_modules/")) return true;
    const found = installed[path];
    if (!found) return locked.optional === true || locked.devOptional === true || locked.peer === true;
    return found.version === locked.version && found.link === locked.link;
  });
}

function npmCi() {
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath;
  const result =
    npm && /\.c?js$/.test(npm)
      ? spawnSync(process.execPath, [npm, ...args], { cwd: ROOT, stdio: ["ignore", 2, 2] })
      : spawnSync("npm", args, { cwd: ROOT, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (result.status !== 0) {
    const cause = result.error
      ? result.error.message
      : `npm ended with code ${result.status ?? result.signal}`;
    throw new Error(`Dependencies could not be installed (${cause}). Run \`npm ci\` in ${ROOT} to see why.`);
  }
}

/** Only one installation at a time: two would delete each other's files. A lock left by a dead process is taken over. */
function withInstallLock(action) {
  const lock = join(ROOT, ".acme-install.lock");
  const deadline = Date.now() + 10 * 60_000;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!ownerLives(lock)) rmSync(lock, { recursive: true, force: true });
    else if (Date.now() > deadline)
      throw new Error(`Another installation holds ${lock}; remove it if none runs.`);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
  }
  try {
    writeFileSync(join(lock, "pid"), String(process.pid));
    action();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function ownerLives(lock) {
  try {
    process.kill(Number(readFileSync(join(lock, "pid"), "utf8")), 0);
    return true;
  } catch (error) {
    // There is no pid yet: its owner is between the two steps above, or ended between them. A second look
    // decides.
    if (error.code !== "ENOENT") return error.code === "EPERM";
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    return existsSync(join(lock, "pid"));
  }
}

/**
 * Installs what package-lock.json names if node_modules is missing or differs from it. Otherwise takes
 * milliseconds.
 */
export function ensureInstalled() {
  const hash = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
  const current = () => existsSync(STAMP) && existsSync(NODE) && readFileSync(STAMP, "utf8") === hash;
  if (current()) return;
  withInstallLock(() => {
    if (current()) return;
    if (!agreesWithLock()) {
      process.stderr.write("Installing dependencies (npm ci), once…\n");
      npmCi();
    }
    writeFileSync(STAMP, hash);
  });
}

/**
 * The pids between this process and npm, which change when one of them ends: npm starts a script through a
 * shell, which does not end with npm. Without /proc, only the parent is known.
 */
function npmAbove() {
  const parent = process.ppid;
  try {
    const stat = readFileSync(`/proc/${parent}/stat`, "utf8");
    const [, command, ppid] = /^\d+ \((.*)\) \S (\d+) /s.exec(stat) ?? [];
    return /^(ba|da|a|z|k)?sh$/.test(command) ? `${parent} ${ppid}` : `${parent}`;
  } catch {
    return `${parent}`;
  }
}

/**
 * Runs the project's Node.js with `args` in place of this process: same terminal, same signals, same exit
 * code. The program has an IPC channel to this process, which closes if this process is killed. If npm
 * started this process and is killed itself, the program is asked to stop.
 */
export function runProjectNode(args, options = {}) {
  const child = spawn(NODE, args, {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, PATH: `${join(MODULES, ".bin")}:${process.env.PATH ?? ""}`, ...options.env },
    cwd: options.cwd ?? process.cwd(),
  });
  // A terminal sends SIGINT to the whole group: the program handles it, and this process waits for its exit.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  if (process.env.npm_lifecycle_event) {
    const before = npmAbove();
    setInterval(() => npmAbove() !== before && child.kill("SIGTERM"), 500).unref();
  }
  child.on("error", (error) => {
    process.stderr.write(`${NODE} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
