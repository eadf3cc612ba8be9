import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { HostError, messageOf } from "../errors.ts";

/** The number of environments of one host that have their own user; further ones share users. */
const USERS = 1_000;
/** The first user ids: above all real users, or low enough for a container with a small range of ids. */
const FIRST_IDS = [1_000_000_000, 60_000] as const;
const HOSTS = 1_000_000;
/**
 * The number of an environment's bundles that are kept in addition to a new one. A process reads its bundle
 * only when it starts.
 */
const KEPT_BUNDLES = 20;
/** Folders that every user can enter and write to. */
const SHARED = ["/tmp", "/var/tmp"];

export interface TaskUser {
  uid: number;
  gid: number;
  /** The user's own folder: home, temporary files and working directory. */
  home: string;
  /** The folder from which it reads its bundles. */
  bundles: string;
}

/**
 * Unprivileged users for the processes of tasks, one for each environment: a task can read neither the files nor
 * `/proc/PID/environ` of the host, of the server, and of other environments. They need no entry in /etc/passwd.
 */
export class TaskUsers {
  /** A folder outside of the host's data, which only its own user can enter. */
  readonly #folder: string;
  readonly #firstId: number;
  readonly #users = new Map<string, TaskUser>();

  constructor(folder: string, firstId: number) {
    this.#folder = folder;
    this.#firstId = firstId;
  }

  of(environmentKey: string): TaskUser {
    let user = this.#users.get(environmentKey);
    if (!user) {
      const id = this.#firstId + (this.#users.size % USERS);
      const folder = join(this.#folder, `user-${id}`);
      user = { uid: id, gid: id, home: join(folder, "home"), bundles: join(folder, "bundles") };
      // The user can read what is in these two and change nothing: this process, which is root, writes to them.
      for (const path of [folder, user.bundles]) {
        mkdirSync(path, { recursive: true, mode: 0o750 });
        chownSync(path, 0, id);
      }
      mkdirSync(user.home, { recursive: true, mode: 0o700 });
      chownSync(user.home, id, id);
      this.#users.set(environmentKey, user);
    }
    return user;
  }

  /** Returns a path of the bundle that only this user can read. */
  bundleFor({ bundles }: TaskUser, bundlePath: string): string {
    const target = join(bundles, basename(bundlePath));
    if (existsSync(target)) return target;
    const oldestFirst = readdirSync(bundles)
      .map((name) => join(bundles, name))
      .sort((a, b) => statSync(a).ctimeMs - statSync(b).ctimeMs);
    for (const path of oldestFirst.slice(0, -KEPT_BUNDLES)) rmSync(path, { force: true });
    return shareFile(bundlePath, target);
  }

  /** Returns a path of the file that all of these users can read. */
  share(path: string): string {
    return isReachable(path) ? path : shareFile(path, join(this.#folder, basename(path)));
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Returns users for the tasks of the host with this data folder; null if this process is not root, and so
 * can't start processes of other users.
 * @throws HostError if it is root and can't either
 */
export function openTaskUsers(dataFolder: string): TaskUsers | null {
  if (process.getuid?.() !== 0) return null;
  const hash = createHash("sha256").update(dataFolder).digest();
  const parent = SHARED.find((path) => existsSync(path) && isReachable(path));
  const host = hash.readUInt32BE(0) % HOSTS;
  const firstId = [FIRST_IDS[0] + host * USERS, FIRST_IDS[1]].find(canBecome);
  if (!parent || firstId === undefined) {
    throw new HostError(
      "Tasks can't be run as another user here. --separate-users off runs them as this one (root): they can then read all secrets of this machine.",
    );
  }
  const folder = join(parent, `acme-tasks-${hash.toString("hex").slice(0, 16)}`);
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o711 });
    chmodSync(folder, 0o711);
    const { uid } = lstatSync(folder);
    if (uid !== 0) throw new Error("it belongs to another user");
  } catch (error) {
    throw new HostError(`The folder ${folder} for the files of tasks can't be created: ${messageOf(error)}`);
  }
  return new TaskUsers(folder, firstId);
}

const canBecome = (id: number): boolean =>
  spawnSync("/bin/true", [], { uid: id, gid: id, stdio: "ignore" }).status === 0;

/** Returns whether every user can execute the file and enter all of its parent folders. */
function isReachable(path: string): boolean {
  if ((statSync(path).mode & 0o005) !== 0o005) return false;
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    if ((statSync(parent).mode & 0o001) === 0) return false;
    if (parent === dirname(parent)) return true;
  }
}

/** Makes a file available under a second path. Once: files with the same name have the same content. */
function shareFile(path: string, target: string): string {
  if (existsSync(target)) return target;
  try {
    if ((statSync(path).mode & 0o004) === 0) throw new Error("Others can't read it");
    linkSync(path, target);
  } catch {
    // It can't be linked, because it is on another file system, or other users may not read it.
    copyFileSync(path, `${target}.new`);
    chmodSync(`${target}.new`, 0o755);
    renameSync(`${target}.new`, target);
  }
  return target;
}
