import { describe, expect, it } from "vitest";
import { EndedLeases } from "../src/hosts/ended-leases.ts";

const KEEP_MS = 1_000;
const run = (n: number, token = 1) => ({ runId: `run_${n}`, token });

describe("leases that have ended", () => {
  it("are known, with the run's earlier ones and none of its later ones", () => {
    const ended = new EndedLeases(KEEP_MS, 100);
    ended.add(run(1, 2), 0);
    expect([1, 2, 3].map((token) => ended.has(run(1, token)))).toEqual([true, true, false]);
    expect(ended.has(run(2))).toBe(false);
  });

  it("are kept for their time, and dropped after twice that", () => {
    const ended = new EndedLeases(KEEP_MS, 100);
    ended.add(run(1), 0);
    ended.add(run(2), KEEP_MS - 1);
    ended.add(run(3), KEEP_MS);
    expect([1, 2, 3].map((n) => ended.has(run(n)))).toEqual([true, true, true]);
    ended.add(run(4), 2 * KEEP_MS);
    expect([1, 2, 3, 4].map((n) => ended.has(run(n)))).toEqual([false, false, true, true]);
    ended.add(run(5), 5 * KEEP_MS);
    expect([3, 4, 5].map((n) => ended.has(run(n)))).toEqual([false, false, true]);
  });

  it("are dropped by age when there are too many", () => {
    const ended = new EndedLeases(KEEP_MS, 10);
    for (let n = 1; n <= 25; n++) ended.add(run(n), 0);
    expect([10, 11, 25].map((n) => ended.has(run(n)))).toEqual([false, true, true]);
  });
});
