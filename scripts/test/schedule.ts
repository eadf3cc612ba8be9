import type { Job } from "./job.ts";

type Scheduled = Pick<Job, "name" | "seconds" | "processors" | "interfaces">;

/**
 * The maximum number of concurrent jobs per processor, however little they do: each has servers that take
 * memory.
 */
const MOST_PER_PROCESSOR = 3;

/**
 * Runs all jobs, the longest first, and as many at the same time as keep the processors busy: one that mostly waits runs
 * beside others. Rejects with the first error of `run`.
 */
export async function runJobs<T extends Scheduled>(
  jobs: readonly T[],
  processors: number,
  run: (job: T) => Promise<void>,
): Promise<void> {
  const waiting = [...jobs].sort((a, b) => b.seconds - a.seconds || a.name.localeCompare(b.name));
  const running = new Map<T, Promise<void>>();

  const start = (job: T): void => {
    waiting.splice(waiting.indexOf(job), 1);
    running.set(
      job,
      run(job).finally(() => running.delete(job)),
    );
  };

  const disturbs = ({ interfaces }: T): boolean =>
    interfaces !== undefined &&
    [...running.keys()].some((job) => job.interfaces !== undefined && job.interfaces !== interfaces);

  /**
   * Returns the longest job for which half of the processors that it needs are free, because two jobs are
   * seldom both at their peak. A job that can use several processors also works with one.
   */
  const next = (): T | undefined => {
    if (running.size === 0) return waiting[0];
    if (running.size >= processors * MOST_PER_PROCESSOR) return undefined;
    const busy = [...running.keys()].reduce((sum, job) => sum + job.processors, 0);
    return waiting.find((job) => busy + Math.min(1, job.processors) / 2 <= processors && !disturbs(job));
  };

  while (waiting.length > 0 || running.size > 0) {
    const job = next();
    if (job) start(job);
    else await Promise.race(running.values());
  }
}
