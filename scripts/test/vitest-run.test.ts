import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it, vi } from "vitest";
import { runVitest } from "./vitest-run.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "acme-runner-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (file: string, deadlineMs: number) =>
  runVitest({
    root: ROOT,
    args: ["--config", "scripts/test/fixtures/vitest.config.ts", file],
    deadlineMs,
    output: "collect",
  });

it("names the tests that passed and failed", { timeout: 120_000 }, async () => {
  const result = await run("mixed", 100_000);
  expect(result.passed).toEqual(["scripts/test/fixtures/mixed.fixture.ts > passes"]);
  expect(result.failed).toEqual(["scripts/test/fixtures/mixed.fixture.ts > fails"]);
  expect(result.trouble).toBeNull();
});

it("reports a file that cannot be loaded", { timeout: 120_000 }, async () => {
  const result = await run("broken", 100_000);
  expect(result.trouble).toMatch(/could not be loaded/);
});

it("kills a run that exceeds its deadline, with what the tests started", { timeout: 120_000 }, async () => {
  const pidFile = join(folder, "pid");
  vi.stubEnv("ACME_FIXTURE_PID_FILE", pidFile);
  const result = await run("hangs", 15_000);
  expect(result.trouble).toMatch(/exceeded its deadline of 15 s/);
  const pid = Number(readFileSync(pidFile, "utf8"));
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/), { timeout: 10_000 });
});
