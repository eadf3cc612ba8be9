import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Pace } from "../src/pace.ts";

const GAP_MS = 4;
const LAZY_MS = 10;

describe("a pace", () => {
  let done: number[];
  let pace: Pace;
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000 });
    done = [];
    pace = new Pace(() => done.push(Date.now()), { gapMs: GAP_MS, lazyMs: LAZY_MS });
  });
  afterEach(() => vi.useRealTimers());

  it("does what is urgent at once, and then once in the gap", () => {
    pace.ask(true);
    pace.ask(true);
    pace.ask(true);
    vi.advanceTimersByTime(100);
    expect(done).toEqual([1_000, 1_000 + GAP_MS]);
  });

  it("keeps to the gap in a stream of urgent events, however dense it is", () => {
    for (let at = 0; at < 100; at++) {
      for (let n = 0; n < 20; n++) pace.ask(true);
      vi.advanceTimersByTime(1);
    }
    expect(done).toEqual(Array.from({ length: 26 }, (_, n) => 1_000 + n * GAP_MS));
  });

  it("lets what isn't urgent wait, and go along with what is", () => {
    pace.ask(false);
    pace.ask(false);
    vi.advanceTimersByTime(LAZY_MS);
    expect(done).toEqual([1_000 + LAZY_MS]);
    pace.ask(false);
    vi.advanceTimersByTime(2);
    pace.ask(true);
    vi.advanceTimersByTime(100);
    expect(done).toEqual([1_000 + LAZY_MS, 1_000 + LAZY_MS + 2]);
  });
});
