import { expect, it } from "vitest";
import type { JobResult } from "./job.ts";
import { Outcome } from "./outcome.ts";

const result = (fields: Partial<JobResult>): JobResult => ({
  passed: [],
  failed: [],
  trouble: null,
  output: "",
  durations: [],
  cpuSeconds: null,
  ...fields,
});
const file = { name: "a.test.ts", mayRunAgain: true };
const project = { name: "unit", mayRunAgain: false };

it("counts the second run of a file that failed, and lists what passed then as flaky", () => {
  const outcome = new Outcome<typeof file>();
  const first = result({ passed: ["a > 1"], failed: ["a > 2", "a > 3"] });
  outcome.ran(file, first, 3);
  expect(outcome).toMatchObject({ passed: 0, failed: 0 });
  expect(outcome.toRunAgain()).toEqual([{ job: file, first }]);
  outcome.ranAgain(file, first, result({ passed: ["a > 1", "a > 2"], failed: ["a > 3"] }));
  expect(outcome).toMatchObject({ passed: 2, failed: 1, failures: ["a > 3"], flaky: ["a > 2"] });
});

it("counts a job that hung as one failure, and as flaky if it ends the second time", () => {
  const outcome = new Outcome<typeof file>();
  const hung = result({ trouble: "exceeded its deadline" });
  outcome.ran(project, hung, 600);
  expect(outcome).toMatchObject({ passed: 0, failed: 1, failures: ["unit (exceeded its deadline)"] });
  outcome.ran(file, hung, 600);
  outcome.ranAgain(file, hung, result({ passed: ["a > 1"] }));
  expect(outcome).toMatchObject({ passed: 1, failed: 1, flaky: ["a.test.ts (exceeded its deadline)"] });
});

it("does not repeat jobs that start no processes", () => {
  const outcome = new Outcome<typeof file>();
  outcome.ran(project, result({ failed: ["unit > 1"] }), 1);
  expect(outcome.toRunAgain()).toEqual([]);
  expect(outcome.failed).toBe(1);
});

it("names the slowest tests and the longest jobs first", () => {
  const outcome = new Outcome<typeof file>();
  outcome.ran(project, result({ durations: [{ name: "unit > fast", ms: 12 }] }), 2.4);
  outcome.ran(file, result({ durations: [{ name: "a > slow", ms: 4_321 }] }), 9.6);
  expect(outcome.slowest(1)).toEqual(["     4.3 s  a > slow"]);
  expect(Object.entries(outcome.seconds())).toEqual([
    ["a.test.ts", 10],
    ["unit", 2],
  ]);
});

it("keeps the end of each failed job's output, from the run that counts", () => {
  const outcome = new Outcome<typeof file>();
  const first = result({ failed: ["a > 1"], output: "first" });
  outcome.ran(file, first, 1);
  outcome.ranAgain(file, first, result({ failed: ["a > 1"], output: "second\n" }));
  const lines = Array.from({ length: 151 }, (_, n) => `line ${n}`);
  outcome.ran(project, result({ trouble: "hung", output: lines.join("\n") }), 1);
  outcome.ran(project, result({ passed: ["unit > 1"], output: "fine" }), 1);
  expect(outcome.failedOutputs).toEqual([
    { name: "a.test.ts", output: "second" },
    { name: "unit", output: ["… 1 lines that are further up …", ...lines.slice(1)].join("\n") },
  ]);
});
