import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The outcome of one vitest process. */
export interface VitestRun {
  passed: string[];
  failed: string[];
  /** Set when the run failed for a reason that no test reports: it hung, crashed, or a file did not load. */
  trouble: string | null;
  /** What it printed; empty when it printed to the terminal. */
  output: string;
}

export interface VitestOptions {
  root: string;
  /** Arguments of `vitest run`. */
  args: string[];
  /** Milliseconds after which the process and everything it started is killed. */
  deadlineMs: number;
  /** Where the output goes: to this terminal as it comes, or into `output`. */
  output: "terminal" | "collect";
}

interface JsonReport {
  testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[];
}

/**
 * Runs vitest in a process group of its own, so that a run that exceeds its deadline is killed together with the servers
 * and browsers that its tests started. Never throws and never hangs: what goes wrong is in `trouble`.
 */
export async function runVitest({ root, args, deadlineMs, output }: VitestOptions): Promise<VitestRun> {
  const folder = mkdtempSync(join(tmpdir(), "acme-tests-"));
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  try {
    const child = spawn(join(root, "node_modules/.bin/vitest"), ["run", ...reporters, ...args], {
      cwd: root,
      detached: true,
      stdio: output === "terminal" ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
    });
    const chunks: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => chunks.push(chunk));
    const killGroup = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group has ended already.
      }
    };
    const interrupted = (): void => {
      killGroup();
      process.exit(130);
    };
    process.once("SIGINT", interrupted);
    process.once("SIGTERM", interrupted);
    let hung = false;
    const deadline = setTimeout(() => {
      hung = true;
      killGroup();
    }, deadlineMs);
    const code = await new Promise<number | null>((resolve) => {
      child.on("error", () => resolve(null));
      // "exit", not "close": a server that outlives vitest keeps its output open.
      child.on("exit", (status) => resolve(status));
    });
    clearTimeout(deadline);
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    // Tests stop what they start. What a failed one left behind ends here.
    killGroup();
    return {
      ...readReport(report, root),
      ...outcome(code, hung, deadlineMs, report),
      output: Buffer.concat(chunks).toString(),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }

  function outcome(code: number | null, hung: boolean, ms: number, path: string): { trouble: string | null } {
    if (hung) return { trouble: `exceeded its deadline of ${Math.round(ms / 1000)} s and was killed` };
    if (!existsSync(path)) return { trouble: `vitest ended with code ${code} without a report` };
    const { failed } = readReport(path, root);
    return {
      trouble:
        code !== 0 && failed.length === 0
          ? "a file could not be loaded, or an error occurred outside of a test"
          : null,
    };
  }
}

function readReport(path: string, root: string): Pick<VitestRun, "passed" | "failed"> {
  const passed: string[] = [];
  const failed: string[] = [];
  if (!existsSync(path)) return { passed, failed };
  const { testResults } = JSON.parse(readFileSync(path, "utf8")) as JsonReport;
  for (const file of testResults) {
    for (const test of file.assertionResults) {
      const name = `${file.name.replace(`${root.replace(/\/$/, "")}/`, "")} > ${test.fullName}`;
      if (test.status === "passed") passed.push(name);
      else if (test.status === "failed") failed.push(name);
    }
  }
  return { passed, failed };
}
