/**
 * `npm test`: format and lint, types of every package, and all tests, as many at a time as keep the
 * processors busy. `npm test -- ARGUMENTS` passes the arguments to vitest and skips the checks:
 * `npm test -- cli`. The last line is `N passed, N failed`. Test files that start real processes are run once
 * more if they fail. A job that exceeds its deadline is killed with everything it started.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type JobResult, succeeded } from "./test/job.ts";
import { allJobs } from "./test/jobs.ts";
import { Outcome } from "./test/outcome.ts";
import { runJobs } from "./test/schedule.ts";
import { runVitest } from "./test/vitest-run.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DEADLINE_MS = 20 * 60_000;
/**
 * More test files at once than keep these processors busy disturb each other with their servers and
 * containers.
 */
const MOST_PROCESSORS = 4;
const SLOWEST = 30;

type Counts = Pick<Outcome, "passed" | "failed">;

const log = (line: string): void => console.log(line);

async function everything(): Promise<Counts> {
  const processors = Math.min(MOST_PROCESSORS, Math.max(2, availableParallelism()));
  const outcome = new Outcome();
  const began = performance.now();
  await runJobs(allJobs(ROOT), processors, async (job) => {
    const started = performance.now();
    const result = await job.run();
    const seconds = (performance.now() - started) / 1_000;
    log(describe(job.name, result, seconds));
    outcome.ran(job, result, seconds);
  });
  for (const { job, first } of outcome.toRunAgain()) {
    log(`Running ${job.name} once more`);
    const second = await job.run();
    log(describe(job.name, second));
    outcome.ranAgain(job, first, second);
  }
  log(`\nSlowest tests:\n${outcome.slowest(SLOWEST).join("\n")}`);
  log(`\nSeconds of each job: ${JSON.stringify(outcome.seconds())}`);
  log(`\nProcessor seconds of each job: ${JSON.stringify(outcome.cpuSeconds())}`);
  log(`\n${summaryOf(outcome, (performance.now() - began) / 1_000)}`);
  if (outcome.flaky.length > 0)
    log(`\nFlaky (failed, then passed):\n${outcome.flaky.map((name) => `  ${name}`).join("\n")}`);
  // Printed last, because readers of a long log look at its end.
  for (const { name, output } of outcome.failedOutputs) log(`\nFailed: ${name}\n${output}`);
  if (outcome.failed > 0) log(`\nFailed:\n${outcome.failures.map((name) => `  ${name}`).join("\n")}`);
  return outcome;
}

/**
 * If the processors were idle, the order of the jobs can be improved; if not, the jobs have to become
 * cheaper.
 */
function summaryOf(outcome: Outcome, seconds: number): string {
  const cpuSeconds = Object.values(outcome.cpuSeconds()).reduce((sum, each) => sum + each, 0);
  return `All took ${seconds.toFixed(0)} s, and ${cpuSeconds} s of processor time on ${availableParallelism()} processors`;
}

function describe(name: string, result: JobResult, seconds?: number): string {
  const cpu = result.cpuSeconds === null ? "" : ` (${result.cpuSeconds.toFixed(1)} s of processor time)`;
  const took = seconds === undefined ? "" : `, ${seconds.toFixed(1)} s${cpu}`;
  const line = `${name}: ${result.passed.length} passed, ${result.failed.length} failed${took}`;
  if (succeeded(result)) return `✓ ${line}`;
  const trouble = result.trouble === null ? "" : `\n${name} ${result.trouble}`;
  return `✗ ${line}\n${result.output.trim()}${trouble}`;
}

async function vitestAlone(args: string[]): Promise<Counts> {
  const result = await runVitest({ root: ROOT, args, deadlineMs: DEADLINE_MS, output: "terminal" });
  if (result.trouble !== null) log(`✗ vitest ${args.join(" ")}: ${result.trouble}`);
  return { passed: result.passed.length, failed: result.failed.length || (result.trouble === null ? 0 : 1) };
}

// Tests start hundreds of processes that load the same TypeScript. Node.js compiles it once for all processes
// with this variable.
process.env.NODE_COMPILE_CACHE ??= join(ROOT, "node_modules/.cache/acme-compiled");

const args = process.argv.slice(2);
const { failed, passed } = args.length > 0 ? await vitestAlone(args) : await everything();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
