import { execFile } from "node:child_process";
import { join } from "node:path";

const MAIN = join(import.meta.dirname, "main.ts");

/**
 * How many seeds from 1 on `npm test` runs, within which each mutation must be found: seeds of any kind, or
 * of one kind only.
 */
export const SEEDS = 34;
export const SEEDS_OF_A_KIND = 10;

/** How many additional seeds `npm test` derives from the commit. */
export const SEEDS_OF_COMMIT = 5;

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `npm run simulate` in a separate process. */
export const simulate = (...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const limits = { maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [MAIN, ...args], limits, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, stdout, stderr });
    });
  });
