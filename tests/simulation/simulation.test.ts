import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstSeedOfCommit } from "../support/commit-seed.ts";
import { type Ran, SEEDS, SEEDS_OF_A_KIND, SEEDS_OF_COMMIT, simulate } from "./command.ts";
import { compiledAgain, longReads } from "./plan-rules.ts";
import type { SimulationReport } from "./report.ts";

// Some 20 s of one core, which a busy machine doesn't always have.
const PATIENCE = { timeout: 600_000 };

const folder = mkdtempSync(join(tmpdir(), "acme-simulation-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function reported(...args: string[]): Promise<Ran & { report: SimulationReport }> {
  const file = join(folder, `${args.join("")}.json`);
  const ran = await simulate(...args, "--report", file);
  return { ...ran, report: JSON.parse(readFileSync(file, "utf8")) };
}

/** What the seeds from 1 on came to, at the same time in as many threads as the machine has processors. */
let all: Awaited<ReturnType<typeof reported>>;
beforeAll(async () => {
  all = await reported("--seeds", String(SEEDS));
}, PATIENCE.timeout);

test(`every invariant holds after every step of ${SEEDS} seeds`, () => {
  const { stdout, stderr } = all;
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

test("no statement that the objects run reads a backlog, or sorts one", () => {
  expect(longReads(all.report.plans)).toEqual([]);
});

test("no statement is compiled again for each limit that is bound to it", () => {
  expect(compiledAgain(all.report.plans)).toEqual([]);
});

test("the seeds run the statements of the hot paths", () => {
  const { plans } = all.report;
  const has = (binding: string, ...parts: string[]) =>
    plans.some((plan) => plan.binding === binding && parts.every((part) => plan.query.includes(part)));
  expect(plans.length).toBeGreaterThan(100);
  expect(has("QUEUE", "INSERT INTO runs")).toBe(true);
  expect(has("QUEUE", "UPDATE runs SET status = 'DEQUEUED'")).toBe(true);
  expect(has("QUEUE", "COMPLETED_SUCCESSFULLY")).toBe(true);
  expect(has("QUEUE", "due_at")).toBe(true);
  expect(has("BATCH", "FROM waiting JOIN queues")).toBe(true);
  expect(has("ENVIRONMENT", "INSERT INTO queues")).toBe(true);
});

test("a seed does the same in another process, to the last message", PATIENCE, async () => {
  const { stdout } = await simulate("--seed", "3");
  expect(stdout).toMatch(/^Seed 3 passed: .* trace [0-9a-f]{32}\n$/);
  expect(stdout).toContain(`trace ${all.report.traces[3]}\n`);
});

test("a seed does the same whichever ran before it in its thread", PATIENCE, async () => {
  const { traces } = (await reported("--seeds", "6", "--jobs", "1")).report;
  expect(Object.keys(traces)).toEqual(["1", "2", "3", "4", "5", "6"]);
  expect(all.report.traces).toMatchObject(traces);
});

test(
  "a seed that fails does so in another process, at the same step, and prints what happened",
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
