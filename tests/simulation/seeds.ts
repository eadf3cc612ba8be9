import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { InvariantNumber } from "./checks/violations.ts";
import type { Result } from "./simulate.ts";
import type { StatementPlan } from "./statement-plans.ts";

export interface SeedReport {
  seed: number;
  result?: Result;
  failure?: { message: string; invariant: InvariantNumber | null };
  /** The plans of statements that no earlier seed of the thread ran. Only with `--report`. */
  plans?: StatementPlan[];
}

/**
 * Runs seeds from `from` on in `jobs` threads, calling `onReport` for each as it ends. It may return false to
 * stop.
 */
export async function runSeeds(
  { from, count, jobs }: { from: number; count: number; jobs: number },
  onReport: (report: SeedReport) => boolean,
): Promise<void> {
  let next = from;
  let goesOn = true;
  const thread = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(join(import.meta.dirname, "worker.ts"), { argv: process.argv.slice(2) });
      const feed = () => {
        if (goesOn && next < from + count) worker.postMessage(next++);
        else void worker.terminate().then(() => resolve());
      };
      worker.on("message", (report: SeedReport) => {
        if (goesOn) goesOn = onReport(report);
        feed();
      });
      worker.on("error", reject);
      feed();
    });
  await Promise.all(Array.from({ length: Math.min(jobs, count) }, thread));
}
