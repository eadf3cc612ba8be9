import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const MAIN = join(import.meta.dirname, "main.ts");

test("of one debounce key at most one run waits, whatever is lost, late or repeated and whoever dies: 30 seeds", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "--seeds", "30"]);
  expect(stdout).toMatch(/^30 of 30 seeds passed/);
});
