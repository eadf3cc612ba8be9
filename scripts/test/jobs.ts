import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { type Check, formatAndLint, runCheck, typeChecks } from "./checks.ts";
import type { Job, JobResult } from "./job.ts";
import { PROCESS_FILES } from "./process-files.ts";
import { runVitest } from "./vitest-run.ts";

/** Files that start containers. */
const WITH_CONTAINERS =
  /^container-host\/test\/(checkpoints|docker)|^tests\/e2e\/(checkpoints|docker|hello-world|images|packages|server)\.test/;
/** Files that open pages in a browser. */
const WITH_BROWSER = /^tests\/(e2e\/dashboard|compatibility\/(browser|runtimes)\.test)/;

function interfacesOf(file: string): Job["interfaces"] {
  if (WITH_CONTAINERS.test(file)) return "changed";
  return WITH_BROWSER.test(file) ? "watched" : undefined;
}

const measured = (file: string): Record<string, number> =>
  JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"));

/** Roughly how many seconds each job takes, by name. A run prints what it measured at its end. */
const SECONDS = measured("seconds.json");
/**
 * Processor time of each job in seconds. It is less than the job's duration if the job waits, and more if it
 * has threads.
 */
const CPU_SECONDS = measured("cpu-seconds.json");
/** The assumed duration and processor time of any other job. */
const UNKNOWN_SECONDS = 30;
/** Generous: a machine with other work can be several times slower than a quiet one. */
const DEADLINE_MS = 15 * 60_000;

const WORKER = "workers/vitest.config.ts";
/** What it leaves behind would disturb other files of its project, so it has its own workerd. */
const FUZZER = "workers/test/fuzz.test.ts";

/** Projects that test accounts and the control plane on the other databases. */
const CONTROL = [
  "workers/test/control/vitest.d1.config.ts",
  "workers/test/control/vitest.postgres.config.ts",
];
/** It lets only a certain number of writes succeed, so no other test may write to its database. */
const INTERRUPTED = "workers/test/interrupted.test.ts";

/** Projects whose files share one process of vitest. */
const PROJECTS = [
  "vitest.unit.config.ts",
  "dashboard/vitest.config.ts",
  "durable-objects/vitest.config.ts",
  "workers/test/clickhouse/vitest.config.ts",
  "workers/test/storage/vitest.node.config.ts",
  "workers/test/storage/vitest.workerd.config.ts",
];

function job(fields: Pick<Job, "name" | "run"> & Partial<Job>): Job {
  const { name } = fields;
  const seconds = SECONDS[name] ?? (name.startsWith("types: ") ? 4 : UNKNOWN_SECONDS);
  const processors = (CPU_SECONDS[name] ?? seconds) / Math.max(1, seconds);
  return { mayRunAgain: false, seconds, processors, ...fields };
}

const checkJob = (root: string, check: Check): Job =>
  job({
    name: check.name,
    async run(): Promise<JobResult> {
      const { ok, ...ran } = await runCheck(root, check);
      const names = [check.name];
      return { passed: ok ? names : [], failed: ok ? [] : names, trouble: null, durations: [], ...ran };
    },
  });

const vitest = (root: string, ...args: string[]): Promise<JobResult> =>
  runVitest({ root, args, deadlineMs: DEADLINE_MS, output: "collect" });

const ofFile = (root: string, config: string, file: string): Job =>
  job({
    name: file,
    mayRunAgain: true,
    interfaces: interfacesOf(file),
    run: () => vitest(root, "--config", config, file),
  });

/** All that `npm test` runs. */
export function allJobs(root: string): Job[] {
  const files = (patterns: string | string[]): string[] => globSync(patterns, { cwd: root }).sort();
  return [
    ...[formatAndLint(root), ...typeChecks(root)].map((check) => checkJob(root, check)),
    ...PROJECTS.map((config) => job({ name: config, run: () => vitest(root, "--config", config) })),
    ...CONTROL.flatMap((config) => [
      job({
        name: config,
        mayRunAgain: true,
        run: () => vitest(root, "--config", config, "--exclude", `**/${basename(INTERRUPTED)}`),
      }),
      job({
        name: `${config} ${basename(INTERRUPTED)}`,
        mayRunAgain: true,
        run: () => vitest(root, "--config", config, INTERRUPTED),
      }),
    ]),
    job({ name: WORKER, run: () => vitest(root, "--config", WORKER, "--exclude", `**/${basename(FUZZER)}`) }),
    job({ name: FUZZER, run: () => vitest(root, "--config", WORKER, FUZZER) }),
    ...files(PROCESS_FILES).map((file) => ofFile(root, "vitest.processes.config.ts", file)),
    ...files("tests/**/*.test.ts").map((file) => ofFile(root, "tests/vitest.config.ts", file)),
  ];
}
