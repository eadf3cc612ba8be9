/** The result of a job. Names of tests begin with their file. */
export interface JobResult {
  passed: string[];
  failed: string[];
  /** Set when the job failed for a reason that no test reports: it hung, crashed, or a file did not load. */
  trouble: string | null;
  /** The job's output. */
  output: string;
  /** How long each test took. */
  durations: TestDuration[];
  /**
   * Processor time of all its processes, in seconds; null if it is not known. Docker's processes are not
   * included.
   */
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
  /** Processors that it keeps busy on a quiet machine, on average: near 0 if it mostly waits. */
  processors: number;
  /**
   * `changed`: it starts containers, which add and remove network interfaces. `watched`: it has a browser,
   * which aborts the requests in flight when an interface is added or removed. Jobs of one kind never run
   * beside jobs of the other.
   */
  interfaces?: "changed" | "watched";
  /** True: it starts real processes, so a busy machine can make it fail. Then it is run once more, alone. */
  mayRunAgain: boolean;
  run(): Promise<JobResult>;
}

export const succeeded = ({ failed, trouble }: Pick<JobResult, "failed" | "trouble">): boolean =>
  failed.length === 0 && trouble === null;
