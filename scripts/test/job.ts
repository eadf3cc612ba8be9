/** What a job came to. Names of tests begin with their file. */
export interface JobResult {
  passed: string[];
  failed: string[];
  /** Set when the job failed for a reason that no test reports: it hung, crashed, or a file did not load. */
  trouble: string | null;
  /** What it printed. */
  output: string;
  /** How long each test took. */
  durations: TestDuration[];
}

export interface TestDuration {
  name: string;
  ms: number;
}

/** A check, a project of tests or one file of tests: what one lane of `npm test` runs at a time. */
export interface Job {
  name: string;
  /** Seconds that it takes on a quiet machine: the longest jobs start first. */
  seconds: number;
  /** Jobs that use the same thing never run at the same time. */
  uses?: string;
  /** It starts real processes, so a busy machine can be why it failed: it is run once more, alone. */
  mayRunAgain: boolean;
  run(): Promise<JobResult>;
}

export const succeeded = ({ failed, trouble }: Pick<JobResult, "failed" | "trouble">): boolean =>
  failed.length === 0 && trouble === null;
