import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { firstSeedOfCommit } from "../support/commit-seed.ts";
import { SEEDS, SEEDS_OF_A_KIND, SEEDS_OF_COMMIT, simulate } from "./command.ts";

// Some 20 s of one core, which a busy machine doesn't always have.
const PATIENCE = { timeout: 600_000 };

test(`every invariant holds after every step of ${SEEDS} seeds`, PATIENCE, async () => {
  const { stdout, stderr } = await simulate("--seeds", String(SEEDS));
  expect(stderr).toBe("");
  expect(stdout).toMatch(`${SEEDS} of ${SEEDS} seeds passed`);
  expect(stdout).toMatch(/^(\d+) of \1 transitions of the table of states occurred$/m);
});

test(`every invariant holds in ${SEEDS_OF_COMMIT} seeds derived from the commit`, PATIENCE, async () => {
  const { commit, from } = firstSeedOfCommit();
  console.log(
    `Seeds of commit ${commit.slice(0, 8)}: npm run simulate -- --from ${from} --seeds ${SEEDS_OF_COMMIT}`,
  );
  const { stdout, stderr } = await simulate("--from", String(from), "--seeds", String(SEEDS_OF_COMMIT));
  expect(stderr).toBe("");
  expect(stdout).toMatch(`${SEEDS_OF_COMMIT} of ${SEEDS_OF_COMMIT} seeds passed`);
});

test(`everybody gets a fair share in ${SEEDS_OF_A_KIND} seeds with a backlog`, PATIENCE, async () => {
  const { stdout, stderr } = await simulate("--kind", "backlog", "--seeds", String(SEEDS_OF_A_KIND));
  expect(stderr).toBe("");
  expect(stdout).toMatch(`${SEEDS_OF_A_KIND} of ${SEEDS_OF_A_KIND} seeds passed`);
});

test(
  `limits hold over all partitions in ${SEEDS_OF_A_KIND} seeds in which queues are split anew`,
  PATIENCE,
  async () => {
    const { stdout, stderr } = await simulate("--kind", "split", "--seeds", String(SEEDS_OF_A_KIND));
    expect(stderr).toBe("");
    expect(stdout).toMatch(`${SEEDS_OF_A_KIND} of ${SEEDS_OF_A_KIND} seeds passed`);
  },
);

test(
  `of a debounce key at most one run waits in ${SEEDS_OF_A_KIND} seeds of debounced triggers`,
  PATIENCE,
  async () => {
    const { stdout, stderr } = await simulate("--kind", "debounce", "--seeds", String(SEEDS_OF_A_KIND));
    expect(stderr).toBe("");
    expect(stdout).toMatch(`${SEEDS_OF_A_KIND} of ${SEEDS_OF_A_KIND} seeds passed`);
  },
);

test(
  `every listener ends with the owners' state in ${SEEDS_OF_A_KIND} seeds that are watched`,
  PATIENCE,
  async () => {
    const { stdout, stderr } = await simulate("--kind", "watched", "--seeds", String(SEEDS_OF_A_KIND));
    expect(stderr).toBe("");
    expect(stdout).toMatch(`${SEEDS_OF_A_KIND} of ${SEEDS_OF_A_KIND} seeds passed`);
  },
);

test("a seed does the same in another process, to the last message", PATIENCE, async () => {
  const [first, second] = await Promise.all([simulate("--seed", "3"), simulate("--seed", "3")]);
  expect(first.stdout).toMatch(/^Seed 3 passed: .* trace [0-9a-f]{32}\n$/);
  expect(second.stdout).toBe(first.stdout);
});

test("a seed does the same whichever ran before it in its thread", PATIENCE, async () => {
  const [one, two] = await Promise.all(["1", "2"].map((jobs) => simulate("--seeds", "6", "--jobs", jobs)));
  expect(one?.stdout).toMatch(/trace [0-9a-f]{32}$/m);
  expect(two?.stdout).toBe(one?.stdout);
});

test(
  "a seed that fails does so in another process, at the same step, and tells what happened",
  PATIENCE,
  async () => {
    const run = () => simulate("--seed", "1", "--mutation", "a lease has the token of the one before");
    const [first, second] = await Promise.all([run(), run()]);
    expect(first.code).toBe(1);
    expect(first.stderr).toMatch(/^Seed 1, step \d+: invariant 2: lease 1 of (run_\w+) was started twice\n/);
    expect(first.stderr).toMatch(/\n {2}\d+\.\d QUEUE\/\w+\.triggerRuns /);
    expect(first.stderr).toMatch(/\n {2}\d+\.\d host host-\d+-\d+ starts lease 1 of run_/);
    expect(first.stderr).toContain("Replay it: npm run simulate -- --seed 1");
    expect(second.stderr).toBe(first.stderr);
  },
);

test("a seed leaves nothing in memory, so any number can run in one process", PATIENCE, async () => {
  const args = [join(import.meta.dirname, "leftovers.ts"), "3"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  // The world of the last seed may still be on the stack.
  expect(Number(stdout)).toBeLessThanOrEqual(1);
});
