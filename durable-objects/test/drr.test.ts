import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DeficitRoundRobin } from "../src/lib/drr.ts";

describe("deficit round robin", () => {
  it("gives backlogged flows shares by weight, whatever their order of arrival and the sizes of requests", () => {
    const flows = fc.array(fc.constantFrom(0.5, 1, 2, 3), { minLength: 2, maxLength: 8 });
    const asked = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(flows, asked, (weights, sizes) => {
        const turns = new DeficitRoundRobin();
        for (const [index, weight] of weights.entries()) turns.set(`${index}`, 1_000_000, weight);
        const got = new Map<string, number>();
        for (const size of sizes)
          for (const [key, count] of turns.take(size)) got.set(key, (got.get(key) ?? 0) + count);
        const rounds = weights.map((weight, index) => (got.get(`${index}`) ?? 0) / weight);
        // Nobody is further ahead than one turn.
        const turn = Math.max(...weights.map((weight) => Math.max(1, weight) / weight));
        expect(Math.max(...rounds) - Math.min(...rounds)).toBeLessThanOrEqual(turn + 1);
      }),
    );
  });

  it("does not let a lone flow accumulate credit: a newcomer gets its share at once", () => {
    const turns = new DeficitRoundRobin();
    turns.set("early", 100_000);
    for (let n = 0; n < 10; n++) expect(turns.take(10)).toEqual(new Map([["early", 10]]));
    turns.set("newcomer", 5);
    expect(turns.take(10)).toEqual(
      new Map([
        ["early", 5],
        ["newcomer", 5],
      ]),
    );
  });

  it("picks no more than is ready or requested", () => {
    const turns = new DeficitRoundRobin();
    turns.set("a", 2);
    turns.set("b", 1);
    expect([...turns.take(10).values()].reduce((sum, n) => sum + n, 0)).toBe(3);
    expect(turns.ready).toBe(0);
    expect(turns.take(1).size).toBe(0);
  });
});
