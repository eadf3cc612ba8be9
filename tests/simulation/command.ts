import { execFile } from "node:child_process";
import { join } from "node:path";

const MAIN = join(import.meta.dirname, "main.ts");

/** Seeds from 1 on that `npm test` runs, and in which each mutation must be found: of any kind, or of one kind only. */
export const SEEDS = 34;
export const SEEDS_OF_A_KIND = 10;

/** How many seeds that follow from the commit `npm test` runs besides. */
export const SEEDS_OF_COMMIT = 5;

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
