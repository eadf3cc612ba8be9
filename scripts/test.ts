/**
 * `npm test`: format and lint, types of every package, then all tests. `npm test -- ARGUMENTS` passes the arguments to
 * vitest and skips the checks: `npm test -- cli`. The last line is `N passed, N failed`. End-to-end files that fail are
 * run once more, and nothing can hang: a run that exceeds its deadline is killed with everything it started.
 */
import { fileURLToPath } from "node:url";
import { formatAndLint, runChecks, typeChecks } from "./test/checks.ts";
import { runEndToEnd } from "./test/end-to-end.ts";
import { runVitest } from "./test/vitest-run.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The tests besides the end-to-end ones take about four minutes on two quiet cores. */
const DEADLINE_MS = 20 * 60_000;

interface Count {
  passed: number;
  failed: number;
}

async function vitest(args: string[]): Promise<Count> {
  const run = await runVitest({ root: ROOT, args, deadlineMs: DEADLINE_MS, output: "terminal" });
  if (run.trouble !== null) console.log(`✗ vitest ${args.join(" ")}: ${run.trouble}`);
  return { passed: run.passed.length, failed: run.failed.length || (run.trouble === null ? 0 : 1) };
}

async function everything(): Promise<Count[]> {
  const checks = runChecks([formatAndLint(ROOT), ...typeChecks(ROOT)]);
  const tests = await vitest(["--project", "!e2e"]);
  const endToEnd = await runEndToEnd(ROOT, (line) => console.log(line));
  if (endToEnd.flaky.length > 0) {
    console.log(`\nFlaky (failed, then passed):\n${endToEnd.flaky.map((name) => `  ${name}`).join("\n")}`);
  }
  return [checks, tests, endToEnd];
}

const args = process.argv.slice(2);
const counts = args.length > 0 ? [await vitest(args)] : await everything();
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
