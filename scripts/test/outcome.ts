import { type Job, type JobResult, succeeded, type TestDuration } from "./job.ts";

/** Lines of each failed job's output that are printed again at the end. */
const KEPT_LINES = 150;

type Ran = Pick<Job, "name" | "mayRunAgain">;

/** Adds up the results of jobs. If the first run of a repeatable file failed, its second run counts. */
export class Outcome<T extends Ran = Job> {
  passed = 0;
  /** Tests that failed at first and passed when their file was run again. */
  readonly flaky: string[] = [];
  /** Tests that failed, and jobs without a result. */
  readonly failures: string[] = [];
  /** The output of failed jobs. */
  readonly failedOutputs: { name: string; output: string }[] = [];
  readonly #again: { job: T; first: JobResult }[] = [];
  readonly #durations: TestDuration[] = [];
  readonly #seconds = new Map<string, number>();
  readonly #cpuSeconds = new Map<string, number>();

  ran(job: T, result: JobResult, seconds: number): void {
    this.#seconds.set(job.name, Math.round(seconds));
    if (result.cpuSeconds !== null) this.#cpuSeconds.set(job.name, Math.round(result.cpuSeconds));
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
    return largestFirst(this.#seconds);
  }

  /** Processor time of each job in seconds, the largest first: the content of `cpu-seconds.json`. */
  cpuSeconds(): Record<string, number> {
    return largestFirst(this.#cpuSeconds);
  }

  #count(job: T, { failed, output, passed, trouble }: JobResult): void {
    this.passed += passed.length;
    this.failures.push(...failed);
    if (failed.length === 0 && trouble !== null) this.failures.push(`${job.name} (${trouble})`);
    if (failed.length > 0 || trouble !== null)
      this.failedOutputs.push({ name: job.name, output: endOf(output) });
  }
}

function endOf(output: string): string {
  const lines = output.trim().split("\n");
  const missing = lines.length - KEPT_LINES;
  return missing > 0
    ? [`… ${missing} lines that are further up …`, ...lines.slice(-KEPT_LINES)].join("\n")
    : lines.join("\n");
}

const largestFirst = (numbers: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...numbers].sort(([, a], [, b]) => b - a));
