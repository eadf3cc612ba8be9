import { globSync } from "node:fs";
import { runVitest, type VitestRun } from "./vitest-run.ts";

/** What the end-to-end tests came to. */
export interface EndToEndResult {
  passed: number;
  failed: number;
  /** Tests that failed at first and passed when their file was run again. */
  flaky: string[];
}

/** Generous: the slowest file takes about two minutes on two quiet cores. */
const FILE_DEADLINE_MS = 8 * 60_000;
/** Each file starts servers of its own: a small machine bears two at a time. */
const AT_A_TIME = 2;

/**
 * Runs each end-to-end file in a vitest process of its own, two at a time. A file with a failure is run once more, alone:
 * tests that pass then are reported as flaky, and those that fail again have failed.
 */
export async function runEndToEnd(root: string, log: (line: string) => void): Promise<EndToEndResult> {
  const files = globSync("tests/**/*.test.ts", { cwd: root }).sort();
  const result: EndToEndResult = { passed: 0, failed: 0, flaky: [] };
  const again: { file: string; first: VitestRun }[] = [];
  const queue = [...files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const run = await runFile(root, "e2e", file, log);
      if (run.failed.length === 0 && run.trouble === null) result.passed += run.passed.length;
      else again.push({ file, first: run });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));

  for (const { file, first } of again) add(result, await runAgain(root, "e2e", file, first, log));
  return result;
}

/**
 * Runs a file with failures once more, alone. Tests that pass then are flaky; those that fail again have failed. Only for
 * files that start real processes, where a busy machine can be the cause.
 */
export async function runAgain(
  root: string,
  project: "e2e" | "processes",
  file: string,
  first: Pick<VitestRun, "failed" | "trouble">,
  log: (line: string) => void,
): Promise<EndToEndResult> {
  log(`Running ${file} once more`);
  const second = await runFile(root, project, file, log);
  const passed = new Set(second.passed);
  const flaky = first.failed.filter((name) => passed.has(name));
  if (first.trouble !== null && second.trouble === null) flaky.push(`${file} (${first.trouble})`);
  return {
    passed: second.passed.length,
    failed: second.failed.length || (second.trouble === null ? 0 : 1),
    flaky,
  };
}

/** Adds the second result to the first. */
export function add(to: EndToEndResult, more: EndToEndResult): void {
  to.passed += more.passed;
  to.failed += more.failed;
  to.flaky.push(...more.flaky);
}

async function runFile(
  root: string,
  project: string,
  file: string,
  log: (line: string) => void,
): Promise<VitestRun> {
  const started = Date.now();
  const run = await runVitest({
    root,
    args: ["--project", project, file],
    deadlineMs: FILE_DEADLINE_MS,
    output: "collect",
  });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const good = run.failed.length === 0 && run.trouble === null;
  log(`${good ? "✓" : "✗"} ${file}: ${run.passed.length} passed, ${run.failed.length} failed, ${seconds} s`);
  if (!good) log(`${run.output.trim()}\n${run.trouble === null ? "" : `${file} ${run.trouble}`}`);
  return run;
}
