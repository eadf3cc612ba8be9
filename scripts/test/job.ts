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
  /** Processor time of all its processes, in seconds; null where it is not known. Docker's are not among them. */
  cpuSeconds: number | null;
}

export interface TestDuration {
  name: string;
  ms: number;
}

/** A check, a project of tests or one file of tests: what `npm test` starts as one process. */
export interface Job {
  name: string;
  /** Seconds that it takes on a quiet machine: the longest jobs start first. */
  seconds: number;
  /** Processors that it keeps busy on a quiet machine, on average: near 0 where it mostly waits. */
  processors: number;
  /**
   * `changed`: it starts containers, whose network interfaces come and go. `watched`: it has a browser, which abandons the
   * requests that are on their way when an interface comes or goes. Jobs of one kind never run beside jobs of the other.
   */
  interfaces?: "changed" | "watched";
  /** It starts real processes, so a busy machine can be why it failed: it is run once more, alone. */
  mayRunAgain: boolean;
  run(): Promise<JobResult>;
}

export const succeeded = ({ failed, trouble }: Pick<JobResult, "failed" | "trouble">): boolean =>
  failed.length === 0 && trouble === null;
