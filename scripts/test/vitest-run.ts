import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobResult } from "./job.ts";
import { type EndedProcess, type ProcessOptions, runProcess } from "./process.ts";

export interface VitestOptions extends Pick<ProcessOptions, "root" | "deadlineMs" | "output"> {
  /** Arguments of `vitest run`. */
  args: string[];
}

interface JsonReport {
  testResults: {
    name: string;
    assertionResults: { fullName: string; status: string; duration?: number | null }[];
  }[];
}

type Tests = Pick<JobResult, "passed" | "failed" | "durations">;

/**
 * Runs vitest, and kills it with the servers and browsers that its tests started when it exceeds its
 * deadline. Never throws and never hangs: problems are in `trouble`.
 */
export async function runVitest({ args, ...options }: VitestOptions): Promise<JobResult> {
  const { root, deadlineMs } = options;
  const folder = mkdtempSync(join(tmpdir(), "acme-tests-"));
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  try {
    const ended = await runProcess({
      ...options,
      file: join(root, "node_modules/.bin/vitest"),
      args: ["run", ...reporters, ...args],
    });
    const tests = existsSync(report) ? readReport(report, root) : null;
    return {
      ...(tests ?? { passed: [], failed: [], durations: [] }),
      trouble: troubleOf(ended, tests, deadlineMs),
      output: ended.output,
      cpuSeconds: ended.cpuSeconds,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function troubleOf(
  { code, exceededDeadline }: EndedProcess,
  tests: Tests | null,
  deadlineMs: number,
): string | null {
  if (exceededDeadline) return `exceeded its deadline of ${Math.round(deadlineMs / 1000)} s and was killed`;
  if (!tests) return `vitest ended with code ${code} without a report`;
  if (code === 0 || tests.failed.length > 0) return null;
  return "a file could not be loaded, or an error occurred outside of a test";
}

function readReport(path: string, root: string): Tests {
  const tests: Tests = { passed: [], failed: [], durations: [] };
  const { testResults } = JSON.parse(readFileSync(path, "utf8")) as JsonReport;
  for (const file of testResults) {
    for (const { fullName, status, duration } of file.assertionResults) {
      const name = `${file.name.replace(`${root.replace(/\/$/, "")}/`, "")} > ${fullName}`;
      if (status === "passed") tests.passed.push(name);
      else if (status === "failed") tests.failed.push(name);
      if (duration) tests.durations.push({ name, ms: duration });
    }
  }
  return tests;
}
