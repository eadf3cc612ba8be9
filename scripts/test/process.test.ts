import { expect, it } from "vitest";
import { cpuSecondsOf } from "./process.ts";

it("reads the processor time of a shell's children, of any shell", () => {
  expect(cpuSecondsOf("0m0.000000s 0m0.010000s\n1m2.230000s 0m0.270000s\n")).toBeCloseTo(62.5);
  expect(cpuSecondsOf("0m0.00s 0m0.00s\n0m0.25s 1m0.25s\n")).toBeCloseTo(60.5);
});

it("returns no time if none was printed, as by a shell that was killed", () => {
  expect(cpuSecondsOf("")).toBeNull();
});
