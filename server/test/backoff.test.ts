import { expect, it } from "vitest";
import { BACKOFF, countCrash, restartDelay } from "../src/backoff.ts";

it("waits twice as long after each death in a row, up to a limit", () => {
  expect([1, 2, 3, 4].map(restartDelay)).toEqual([0, 200, 400, 800]);
  expect(restartDelay(100)).toBe(BACKOFF.maxMs);
});

it("forgets earlier deaths of a part that was healthy since", () => {
  expect(countCrash(5, BACKOFF.healthyMs - 1)).toBe(6);
  expect(countCrash(5, BACKOFF.healthyMs)).toBe(1);
});
