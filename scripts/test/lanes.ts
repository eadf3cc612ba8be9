import type { Job } from "./job.ts";

type Scheduled = Pick<Job, "name" | "seconds" | "uses">;

/**
 * Runs all jobs in a number of lanes, the longest first, and never two at the same time that use the same thing. Rejects with
 * the first error of `run`.
 */
export async function runInLanes<T extends Scheduled>(
  jobs: readonly T[],
  lanes: number,
  run: (job: T) => Promise<void>,
): Promise<void> {
  const waiting = [...jobs].sort((a, b) => b.seconds - a.seconds || a.name.localeCompare(b.name));
  const running = new Set<Promise<void>>();
  const inUse = new Set<string>();

  const start = (job: T): void => {
    waiting.splice(waiting.indexOf(job), 1);
    if (job.uses !== undefined) inUse.add(job.uses);
    const ended = run(job).finally(() => {
      if (job.uses !== undefined) inUse.delete(job.uses);
      running.delete(ended);
    });
    running.add(ended);
  };

  while (waiting.length > 0 || running.size > 0) {
    const next =
      running.size < lanes ? waiting.find(({ uses }) => uses === undefined || !inUse.has(uses)) : undefined;
    if (next) start(next);
    else await Promise.race(running);
  }
}
