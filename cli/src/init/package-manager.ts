import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const PACKAGE_MANAGERS = ["npm", "pnpm", "yarn", "bun"] as const;
export type PackageManager = (typeof PACKAGE_MANAGERS)[number];

const LOCK_FILES: [file: string, manager: PackageManager][] = [
  ["pnpm-lock.yaml", "pnpm"],
  ["bun.lock", "bun"],
  ["bun.lockb", "bun"],
  ["yarn.lock", "yarn"],
  ["package-lock.json", "npm"],
  ["npm-shrinkwrap.json", "npm"],
];

const isManager = (name: string | undefined): name is PackageManager =>
  PACKAGE_MANAGERS.some((manager) => manager === name);

/** `packageManager` of a package.json, like "pnpm@10.2.0". */
function declared(folder: string): PackageManager | undefined {
  try {
    const { packageManager } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      packageManager?: unknown;
    };
    const name = typeof packageManager === "string" ? packageManager.split("@")[0] : undefined;
    return isManager(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** The project's folder and those above it, up to its repository: files above that do not belong to the project. */
function foldersUpwards(root: string): string[] {
  const folders = [root];
  for (let folder = root; !existsSync(join(folder, ".git")) && dirname(folder) !== folder; ) {
    folder = dirname(folder);
    folders.push(folder);
  }
  return folders;
}

/** Returns the path of a file in the project's folder, or else in the nearest one above it. */
export const findUpwards = (root: string, file: string): string | undefined =>
  foldersUpwards(root)
    .map((folder) => join(folder, file))
    .find((path) => existsSync(path));

/**
 * Returns the package manager of a project: the one that its package.json names or whose lock file it has,
 * here or in a parent folder (of a workspace); otherwise the one that started this process, or npm.
 */
export function packageManagerOf(root: string, env: NodeJS.ProcessEnv = process.env): PackageManager {
  for (const folder of foldersUpwards(root)) {
    const found = declared(folder) ?? LOCK_FILES.find(([file]) => existsSync(join(folder, file)))?.[1];
    if (found) return found;
  }
  const started = env.npm_config_user_agent?.split("/")[0];
  return isManager(started) ? started : "npm";
}

/** Returns the command that runs `acme` as it is installed in the project. */
export const runAcme = (manager: PackageManager): string =>
  ({ npm: "npx acme", pnpm: "pnpm acme", yarn: "yarn acme", bun: "bunx acme" })[manager];

/** Returns the command that runs a script of the project. */
export const runScript = (manager: PackageManager, script: string): string =>
  manager === "npm" || manager === "bun" ? `${manager} run ${script}` : `${manager} ${script}`;
