import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Poll } from "../src/dispatcher/core.ts";
import { WaitingPolls } from "../src/dispatcher/waiting-polls.ts";

describe("polls that wait", () => {
  let answered: string[];
  let polls: WaitingPolls;
  const add = (id: number, waitMs: number): Poll => {
    const poll = { id, hostId: "host", sessionId: "session", max: 1 };
    polls.add(poll, () => answered.push(`${id} at ${performance.now() - began}`));
    polls.limit(poll, waitMs);
    return poll;
  };
  let began: number;
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
    began = performance.now();
    answered = [];
    polls = new WaitingPolls(() => {});
  });
  afterEach(() => vi.useRealTimers());

  it("are answered at their times, in whichever order they came", () => {
    add(1, 300);
    add(2, 100);
    add(3, 200);
    add(4, 0);
    vi.advanceTimersByTime(1_000);
    expect(answered).toEqual(["4 at 0", "2 at 100", "3 at 200", "1 at 300"]);
    expect(polls.size).toBe(0);
  });

  it("need no timer each", () => {
    for (let id = 1; id <= 100; id++) {
      polls.answer(add(id, 1_000), { runs: [], notices: [], now: 0 });
      vi.advanceTimersByTime(1);
    }
    expect(vi.getTimerCount()).toBe(1);
    add(101, 1_000);
    vi.advanceTimersByTime(2_000);
    expect(answered.at(-1)).toBe("101 at 1100");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("wait no longer when the clock is set back, and are answered when it is set forward", () => {
    add(1, 1_000);
    vi.setSystemTime(1_000_000 - 3_600_000);
    add(2, 500);
    vi.advanceTimersByTime(1_000);
    expect(answered).toEqual(["1 at 500", "2 at 500"]);
    add(3, 1_000);
    vi.setSystemTime(2_000_000);
    add(4, 10);
    vi.advanceTimersByTime(1_000);
    expect(answered.slice(2).map((text) => text.slice(0, 1))).toEqual(["3", "4"]);
  });

  it("that are served when their time is up are answered with what that brings", () => {
    const poll = add(1, 100);
    polls.serve(poll);
    vi.advanceTimersByTime(200);
    expect(answered).toEqual([]);
    expect(polls.resume(poll)).toBe("overdue");
  });
});
