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

/** Its types are checked together with its components, by svelte-check. */
const DASHBOARD = "dashboard/tsconfig.json";

/** One check for each tsconfig.json under version control, and the dashboard's build, which its types need. */
export function typeChecks(root: string): Check[] {
  const listed = spawnSync("git", ["ls-files", "--", "*tsconfig.json"], { cwd: root, encoding: "utf8" });
  return listed.stdout
    .split("\n")
    .filter((path) => path !== "" && existsSync(join(root, path)))
    .map((path) =>
      path === DASHBOARD
        ? { name: "dashboard: build and types", run: () => buildDashboard(root) && checkDashboard(root) }
        : { name: `types: ${path}`, run: command(root, "tsc", ["-p", path]) },
    );
}

const buildDashboard = (root: string): boolean =>
  spawnSync(process.execPath, [join(root, "dashboard/build.mjs")], { cwd: root, stdio: "inherit" }).status ===
  0;

const checkDashboard = (root: string): boolean =>
  spawnSync("npm", ["run", "--silent", "check", "--workspace", "dashboard"], { cwd: root, stdio: "inherit" })
    .status === 0;

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
