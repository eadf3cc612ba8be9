import type { RateLimit } from "@acme/sdk/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { available, availableAt, clamped, rateOf, spend } from "../src/lib/rate.ts";

/** A rate of at most one start in 100 ms: faster ones are kept over that time. */
const limits = fc
  .record({
    limit: fc.integer({ min: 1, max: 50 }),
    burst: fc.integer({ min: 1, max: 60 }),
    periodPerStart: fc.integer({ min: 100, max: 5_000 }),
  })
  .map(({ limit, burst, periodPerStart }): RateLimit => ({ limit, burst, period: limit * periodPerStart }));

/** Starts as many as allowed at each of these times. */
function startsAt(limit: RateLimit, times: number[]): number[] {
  const rate = rateOf(limit);
  let tat = 0;
  return times.flatMap((now) => {
    const count = available(rate, tat, now);
    tat = spend(rate, tat, now, count);
    return Array<number>(count).fill(now);
  });
}

describe("a rate limit", () => {
  it("is never exceeded: in no stretch of one period are there more than limit + burst - 1 starts", () => {
    const times = fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 100 }).map((gaps) => {
      let at = 0;
      return gaps.map((gap) => {
        at += gap;
        return at;
      });
    });
    fc.assert(
      fc.property(limits, times, (limit, at) => {
        const starts = startsAt(limit, at);
        for (const [index, from] of starts.entries()) {
          const within = starts.slice(index).filter((time) => time < from + limit.period).length;
          expect(within).toBeLessThanOrEqual(limit.limit + (limit.burst ?? 1) - 1);
        }
      }),
    );
  });

  it("is fully used: a caller that asks at each announced time starts `limit` runs per period", () => {
    fc.assert(
      fc.property(limits, (limit) => {
        const rate = rateOf(limit);
        let tat = 0;
        let now = 1_000;
        let started = 0;
        while (now < 1_000 + limit.period) {
          const count = available(rate, tat, now);
          expect(count).toBeGreaterThan(0);
          started += count;
          tat = spend(rate, tat, now, count);
          now = Math.ceil(availableAt(rate, tat, 1));
        }
        expect(started).toBeGreaterThanOrEqual(limit.limit);
      }),
    );
  });

  it("lets `burst` start at once after a pause, and one at a time without", () => {
    expect(startsAt({ limit: 10, period: 10_000, burst: 4 }, [0, 0, 1_000, 60_000])).toEqual([
      0, 0, 0, 0, 1_000, 60_000, 60_000, 60_000, 60_000,
    ]);
    expect(startsAt({ limit: 10, period: 10_000 }, [0, 999, 1_000, 60_000])).toEqual([0, 1_000, 60_000]);
  });

  it("that was lowered, or whose clock went back, owes no more than its burst", () => {
    const hourly = rateOf({ limit: 1, period: 3_600_000 });
    const owed = spend(hourly, 0, 1_000, 1);
    const faster = rateOf({ limit: 10, period: 1_000 });
    expect(clamped(faster, owed, 1_000)).toBe(1_100);
  });
});
