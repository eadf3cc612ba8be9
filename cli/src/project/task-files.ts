import { type Dirent, readdirSync, statSync } from "node:fs";
import { join, matchesGlob, relative, sep } from "node:path";
import { CliError } from "../errors.ts";

const SOURCE = /\.[cm]?[jt]sx?$/;
const DECLARATION = /\.d\.[cm]?ts$/;
const TEST = /\.(test|spec)\.[cm]?[jt]sx?$/;
/** Folders that contain no sources of the project. */
const SKIPPED = new Set(["node_modules", "dist", "build", "out", "coverage"]);
/** Folders that are searched for task files by default, in addition to every folder named `trigger`. */
const USUAL = [join("src", "tasks"), "tasks"];

const isSkipped = (entry: Dirent): boolean => SKIPPED.has(entry.name) || entry.name.startsWith(".");

function walk(dir: string, visit: (path: string, entry: Dirent) => "enter" | "skip"): void {
  for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(dir, entry.name);
    if (visit(path, entry) === "enter") walk(path, visit);
  }
}

const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

function usualDirs(root: string): string[] {
  const found = USUAL.map((dir) => join(root, dir)).filter(isDirectory);
  walk(root, (path, entry) => {
    if (!entry.isDirectory() || isSkipped(entry)) return "skip";
    if (entry.name !== "trigger") return "enter";
    found.push(path);
    return "skip";
  });
  return found;
}

/**
 * Returns the files that can contain tasks, as paths relative to the project's folder with `/`. They are
 * sorted, because the bundle's order, and so its hash, must not depend on the file system.
 * @throws CliError if there are none
 */
export function findTaskFiles(
  root: string,
  options: { dirs?: string[]; ignorePatterns?: string[] },
): string[] {
  const dirs = options.dirs?.map((dir) => join(root, dir)) ?? usualDirs(root);
  const missing = options.dirs?.filter((dir) => !isDirectory(join(root, dir))) ?? [];
  if (missing.length > 0) {
    throw new CliError(
      `${missing.map((dir) => `"${dir}"`).join(", ")} in \`dirs\` of the configuration: there is no such folder in ${root}.`,
    );
  }
  if (dirs.length === 0) {
    throw new CliError(
      `There is no folder with tasks in ${root}. Put task files into src/trigger, trigger, src/tasks or tasks, or list their folders in the configuration: \`dirs: ["./src/jobs"]\`.`,
    );
  }
  const files = new Set<string>();
  for (const dir of dirs) {
    walk(dir, (path, entry) => {
      if (entry.isDirectory()) return isSkipped(entry) ? "skip" : "enter";
      const name = relative(root, path).split(sep).join("/");
      const ignored = options.ignorePatterns
        ? options.ignorePatterns.some(
            (glob) => matchesGlob(name, glob.replace(/^\.\//, "")) || matchesGlob(entry.name, glob),
          )
        : false;
      if (SOURCE.test(entry.name) && !DECLARATION.test(entry.name) && !TEST.test(entry.name) && !ignored)
        files.add(name);
      return "skip";
    });
  }
  if (files.size === 0) {
    const where = dirs.map((dir) => relative(root, dir) || ".").join(", ");
    throw new CliError(`There are no source files in ${where} of ${root}, so there is nothing to deploy.`);
  }
  return [...files].sort();
}
