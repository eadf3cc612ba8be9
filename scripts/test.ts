/**
 * `npm test`: format and lint, types of every package, then all tests. Arguments go to vitest and leave out the checks
 * before it: `npm test -- cli`. The last line is `N passed, N failed`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string): string => join(ROOT, "node_modules/.bin", name);

interface Count {
  passed: number;
  failed: number;
}

const total: Count = { passed: 0, failed: 0 };

function run(file: string, args: string[]): boolean {
  return spawnSync(file, args, { cwd: ROOT, stdio: "inherit" }).status === 0;
}

function check(name: string, file: string, args: string[]): void {
  const ok = run(file, args);
  console.log(`${ok ? "✓" : "✗"} ${name}`);
  total[ok ? "passed" : "failed"] += 1;
}

function projectsWithTypes(): string[] {
  const listed = spawnSync("git", ["ls-files", "--", "*tsconfig.json"], { cwd: ROOT, encoding: "utf8" });
  return listed.stdout.split("\n").filter((path) => path !== "" && existsSync(join(ROOT, path)));
}

/** What vitest counted; one failure where it ended without counting. */
function countTests(args: string[]): Count {
  const folder = mkdtempSync(join(tmpdir(), "acme-tests-"));
  const report = join(folder, "report.json");
  try {
    const ok = run(bin("vitest"), [
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...args,
    ]);
    if (!existsSync(report)) return { passed: 0, failed: 1 };
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
    };
    // A file that can't be loaded and an error outside of a test are no failed tests, but failures.
    return { passed: numPassedTests, failed: numFailedTests || (ok ? 0 : 1) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const args = process.argv.slice(2);
if (args.length === 0) {
  check("format and lint", bin("biome"), ["check", "."]);
  for (const project of projectsWithTypes()) check(`types: ${project}`, bin("tsc"), ["-p", project]);
}
const tests = countTests(args);
total.passed += tests.passed;
total.failed += tests.failed;
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
