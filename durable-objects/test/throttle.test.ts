import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Throttle } from "../src/lib/throttle.ts";

const GAP_MS = 4;
const LAZY_MS = 10;

describe("a throttle", () => {
  let done: number[];
  let throttle: Throttle;
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000 });
    done = [];
    throttle = new Throttle(() => done.push(Date.now()), { gapMs: GAP_MS, lazyMs: LAZY_MS });
  });
  afterEach(() => vi.useRealTimers());

  it("performs urgent work at once, and then once per interval", () => {
    throttle.request(true);
    throttle.request(true);
    throttle.request(true);
    vi.advanceTimersByTime(100);
    expect(done).toEqual([1_000, 1_000 + GAP_MS]);
  });

  it("keeps the interval in a stream of urgent events, however dense it is", () => {
    for (let at = 0; at < 100; at++) {
      for (let n = 0; n < 20; n++) throttle.request(true);
      vi.advanceTimersByTime(1);
    }
    expect(done).toEqual(Array.from({ length: 26 }, (_, n) => 1_000 + n * GAP_MS));
  });

  it("lets work that isn't urgent wait, and performs it together with urgent work", () => {
    throttle.request(false);
    throttle.request(false);
    vi.advanceTimersByTime(LAZY_MS);
    expect(done).toEqual([1_000 + LAZY_MS]);
    throttle.request(false);
    vi.advanceTimersByTime(2);
    throttle.request(true);
    vi.advanceTimersByTime(100);
    expect(done).toEqual([1_000 + LAZY_MS, 1_000 + LAZY_MS + 2]);
  });
});
