/**
 * `npm test`: format and lint, types of every package, then all tests. `npm test -- ARGUMENTS` passes the arguments to
 * vitest and skips the checks: `npm test -- cli`. The last line is `N passed, N failed`. Files of tests that start real
 * processes are run once more where they fail. A run that exceeds its deadline is killed with everything it started.
 */
import { fileURLToPath } from "node:url";
import { formatAndLint, runChecks, typeChecks } from "./test/checks.ts";
import { add, type EndToEndResult, runAgain, runEndToEnd } from "./test/end-to-end.ts";
import { runVitest, type VitestRun } from "./test/vitest-run.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Generous: on a busy machine of two cores, the tests besides the end-to-end ones took 14 minutes together. */
const DEADLINE_MS = 20 * 60_000;

interface Count {
  passed: number;
  failed: number;
}

const log = (line: string): void => console.log(line);

async function vitest(args: string[]): Promise<VitestRun> {
  const run = await runVitest({ root: ROOT, args, deadlineMs: DEADLINE_MS, output: "terminal" });
  if (run.trouble !== null) log(`✗ vitest ${args.join(" ")}: ${run.trouble}`);
  return run;
}

const countOf = (run: VitestRun): Count => ({
  passed: run.passed.length,
  failed: run.failed.length || (run.trouble === null ? 0 : 1),
});

/** All tests but the end-to-end ones. Files that start real processes are run once more where they fail, as those are. */
async function packageTests(): Promise<EndToEndResult> {
  const units = await vitest(["--project", "!e2e", "--project", "!processes"]);
  const processes = await vitest(["--project", "processes"]);
  const result: EndToEndResult = { ...countOf(units), flaky: [] };
  const failedFiles = new Set(processes.failed.map((name) => name.slice(0, name.indexOf(" > "))));
  const isOf = (file: string) => (name: string) => name.startsWith(`${file} > `);
  const kept = processes.passed.filter((name) => ![...failedFiles].some((file) => isOf(file)(name)));
  result.passed += kept.length;
  for (const file of failedFiles) {
    const first = { failed: processes.failed.filter(isOf(file)), trouble: null };
    add(result, await runAgain(ROOT, "processes", file, first, log));
  }
  if (processes.trouble !== null) result.failed += 1;
  return result;
}

async function everything(): Promise<Count[]> {
  const checks = runChecks([formatAndLint(ROOT), ...typeChecks(ROOT)]);
  const tests = await packageTests();
  add(tests, await runEndToEnd(ROOT, log));
  if (tests.flaky.length > 0)
    log(`\nFlaky (failed, then passed):\n${tests.flaky.map((name) => `  ${name}`).join("\n")}`);
  return [checks, tests];
}

const args = process.argv.slice(2);
const counts = args.length > 0 ? [countOf(await vitest(args))] : await everything();
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
