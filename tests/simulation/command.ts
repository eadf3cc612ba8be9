import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";

const MAIN = join(import.meta.dirname, "main.ts");

/** Seeds from 1 on that `npm test` runs, and in which each mutation must be found: of any kind, or of one kind only. */
export const SEEDS = 34;
export const SEEDS_OF_A_KIND = 10;

/** Seeds that follow from the commit: each commit tries others, and a failure can still be repeated. */
export const SEEDS_OF_COMMIT = 5;

/** The first of the commit's seeds. Outside of a git checkout it is 0. */
export function firstSeedOfCommit(): { commit: string; from: number } {
  const { stdout } = spawnSync("git", ["rev-parse", "HEAD"], { cwd: import.meta.dirname, encoding: "utf8" });
  const commit = /^[0-9a-f]{40}/.exec(stdout ?? "")?.[0] ?? "0".repeat(40);
  return { commit, from: Number.parseInt(commit.slice(0, 8), 16) };
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `npm run simulate` in a process of its own. */
export const simulate = (...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const limits = { maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [MAIN, ...args], limits, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, stdout, stderr });
    });
  });
