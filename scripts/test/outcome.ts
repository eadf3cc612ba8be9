import { type Job, type JobResult, succeeded, type TestDuration } from "./job.ts";

type Ran = Pick<Job, "name" | "mayRunAgain">;

/** Adds up what jobs came to. A file that may run again counts with its second run where the first one failed. */
export class Outcome<T extends Ran = Job> {
  passed = 0;
  /** Tests that failed at first and passed when their file was run again. */
  readonly flaky: string[] = [];
  /** Tests that failed, and jobs that came to no result. */
  readonly failures: string[] = [];
  readonly #again: { job: T; first: JobResult }[] = [];
  readonly #durations: TestDuration[] = [];
  readonly #seconds = new Map<string, number>();

  ran(job: T, result: JobResult, seconds: number): void {
    this.#seconds.set(job.name, Math.round(seconds));
    this.#durations.push(...result.durations);
    if (succeeded(result) || !job.mayRunAgain) this.#count(job, result);
    else this.#again.push({ job, first: result });
  }

  get failed(): number {
    return this.failures.length;
  }

  /** Jobs to be run once more, alone. */
  toRunAgain(): readonly { job: T; first: JobResult }[] {
    return this.#again;
  }

  ranAgain(job: T, first: JobResult, second: JobResult): void {
    this.#count(job, second);
    const passed = new Set(second.passed);
    this.flaky.push(...first.failed.filter((name) => passed.has(name)));
    if (first.trouble !== null && second.trouble === null) this.flaky.push(`${job.name} (${first.trouble})`);
  }

  /** Lines that name the slowest tests. */
  slowest(count: number): string[] {
    return [...this.#durations]
      .sort((a, b) => b.ms - a.ms)
      .slice(0, count)
      .map(({ name, ms }) => `  ${(ms / 1_000).toFixed(1).padStart(6)} s  ${name}`);
  }

  /** Seconds that each job took, the longest first: the content of `seconds.json`. */
  seconds(): Record<string, number> {
    return Object.fromEntries([...this.#seconds].sort(([, a], [, b]) => b - a));
  }

  #count(job: T, { failed, passed, trouble }: JobResult): void {
    this.passed += passed.length;
    this.failures.push(...failed);
    if (failed.length === 0 && trouble !== null) this.failures.push(`${job.name} (${trouble})`);
  }
}
