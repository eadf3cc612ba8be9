import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "./process.ts";

/** A check besides the tests. It passes if each of its commands exits with 0. */
export interface Check {
  name: string;
  commands: [file: string, ...args: string[]][];
}

/** Generous: the longest check takes half a minute on two quiet cores. */
const DEADLINE_MS = 10 * 60_000;

const tool = (root: string, name: string): string => join(root, "node_modules/.bin", name);

export const formatAndLint = (root: string): Check => ({
  name: "format and lint",
  commands: [[tool(root, "biome"), "check", "."]],
});

/** svelte-check checks the types of this package together with its components. */
const DASHBOARD = "dashboard/tsconfig.json";

/**
 * One check for each tsconfig.json under version control. The dashboard's check also builds it, because its
 * types need the build. Several checks run at the same time. The threads of one check would check the same
 * types again, so each has one thread, which takes half of the processor time.
 */
export function typeChecks(root: string): Check[] {
  const listed = spawnSync("git", ["ls-files", "--", "*tsconfig.json"], { cwd: root, encoding: "utf8" });
  return listed.stdout
    .split("\n")
    .filter((path) => path !== "" && existsSync(join(root, path)))
    .map((path) =>
      path === DASHBOARD
        ? {
            name: "dashboard: build and types",
            commands: [
              [process.execPath, join(root, "dashboard/build.mjs")],
              ["npm", "run", "--silent", "check", "--workspace", "dashboard"],
            ],
          }
        : { name: `types: ${path}`, commands: [[tool(root, "tsc"), "--singleThreaded", "-p", path]] },
    );
}

/** Runs a check's commands until one fails. */
export async function runCheck(
  root: string,
  { commands }: Check,
): Promise<{ ok: boolean; output: string; cpuSeconds: number | null }> {
  let output = "";
  let cpuSeconds: number | null = 0;
  for (const [file, ...args] of commands) {
    const ended = await runProcess({ file, args, root, deadlineMs: DEADLINE_MS, output: "collect" });
    output += ended.output;
    if (cpuSeconds !== null) cpuSeconds = ended.cpuSeconds === null ? null : cpuSeconds + ended.cpuSeconds;
    if (ended.code !== 0) return { ok: false, output, cpuSeconds };
  }
  return { ok: true, output, cpuSeconds };
}
