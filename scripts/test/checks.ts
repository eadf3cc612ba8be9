import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** A check besides the tests: passed if `run` returns true. Its output goes to the terminal. */
export interface Check {
  name: string;
  run(): boolean;
}

const command = (root: string, file: string, args: string[]) => (): boolean =>
  spawnSync(join(root, "node_modules/.bin", file), args, { cwd: root, stdio: "inherit" }).status === 0;

export const formatAndLint = (root: string): Check => ({
  name: "format and lint",
  run: command(root, "biome", ["check", "."]),
});

/** One check for each tsconfig.json under version control. */
export function typeChecks(root: string): Check[] {
  const listed = spawnSync("git", ["ls-files", "--", "*tsconfig.json"], { cwd: root, encoding: "utf8" });
  return listed.stdout
    .split("\n")
    .filter((path) => path !== "" && existsSync(join(root, path)))
    .map((path) => ({ name: `types: ${path}`, run: command(root, "tsc", ["-p", path]) }));
}

/** Runs the checks one after the other and prints a line for each. */
export function runChecks(checks: Check[]): { passed: number; failed: number } {
  const count = { passed: 0, failed: 0 };
  for (const check of checks) {
    const ok = check.run();
    console.log(`${ok ? "✓" : "✗"} ${check.name}`);
    count[ok ? "passed" : "failed"] += 1;
  }
  return count;
}
