import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const MAIN = join(import.meta.dirname, "main.ts");

const simulate = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args]);

// Some 25 s of two cores, which a busy machine doesn't always have.
test("every invariant holds after every step of 30 seeds", { timeout: 600_000 }, async () => {
  const { stdout } = await simulate("--seeds", "30");
  expect(stdout).toMatch(/^30 of 30 seeds passed/);
});

test("a seed does the same in another process, to the last message", async () => {
  const [first, second] = await Promise.all([simulate("--seed", "3"), simulate("--seed", "3")]);
  expect(first.stdout).toMatch(/trace [0-9a-f]{32}/);
  expect(second.stdout).toBe(first.stdout);
});
