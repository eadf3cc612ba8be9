import { describe, expect, it } from "vitest";
import { RunClock } from "../src/attempt/run-clock.ts";
import { restoreDeadline, saveDeadlineMs } from "../src/checkpoints/deadlines.ts";
import { type CheckpointEvent, type CheckpointGate, nextGate, PAUSE_MS } from "../src/checkpoints/gate.ts";

const hung: CheckpointEvent = { type: "hung", reason: "it took too long" };
const worked: CheckpointEvent = { type: "worked" };
const failed: CheckpointEvent = { type: "test-failed", reason: "no CRIU", isLate: false };
const late: CheckpointEvent = { type: "test-failed", reason: "too slow", isLate: true };
const tick: CheckpointEvent = { type: "tick" };

const after = (gate: CheckpointGate, ...events: CheckpointEvent[]): CheckpointGate =>
  events.reduce((before, event) => nextGate(before, event, 1_000), gate);

describe("the gate of checkpoints", () => {
  const testing: CheckpointGate = { state: "testing", lateTests: 0 };
  const open: CheckpointGate = { state: "open", hangs: 0 };

  it("opens when the self-test works, and pauses when it fails", () => {
    expect(after(testing, worked)).toEqual(open);
    expect(after(testing, failed)).toEqual({
      state: "paused",
      reason: "no CRIU",
      until: 1_000 + PAUSE_MS,
      lateTests: 0,
    });
  });

  it("pauses after two hangs in a row, not after two with a success between", () => {
    expect(after(open, hung)).toEqual({ state: "open", hangs: 1 });
    expect(after(open, hung, worked, hung)).toEqual({ state: "open", hangs: 1 });
    expect(after(open, hung, hung)).toEqual({
      state: "paused",
      reason: "it took too long",
      until: 1_000 + PAUSE_MS,
      lateTests: 0,
    });
  });

  it("is tested again soon after a self-test that was late, and then less and less often", () => {
    const pauses: number[] = [];
    let gate: CheckpointGate = testing;
    for (let test = 0; test < 6; test++) {
      gate = after(gate, late);
      if (gate.state !== "paused") throw new Error(`The gate is ${gate.state}`);
      pauses.push(gate.until - 1_000);
      gate = nextGate(gate, tick, gate.until);
    }
    expect(pauses).toEqual([5_000, 30_000, 120_000, PAUSE_MS, PAUSE_MS, PAUSE_MS]);
    expect(after(gate, worked)).toEqual(open);
    expect(after(gate, failed)).toMatchObject({ until: 1_000 + PAUSE_MS, lateTests: 0 });
  });

  it("is not opened by operations that were in progress when the pause began", () => {
    const paused = after(open, hung, hung);
    expect(after(paused, worked, hung, failed)).toBe(paused);
  });

  it("tests again when the pause is over, and not before", () => {
    const paused = after(open, hung, hung);
    expect(nextGate(paused, tick, PAUSE_MS)).toBe(paused);
    expect(nextGate(paused, tick, 1_000 + PAUSE_MS)).toEqual(testing);
    expect(after(nextGate(paused, tick, 1_000 + PAUSE_MS), failed)).toMatchObject({ state: "paused" });
  });

  it("is not changed by time while it is open or being tested", () => {
    expect(nextGate(open, tick, 1e9)).toBe(open);
    expect(nextGate(testing, tick, 1e9)).toBe(testing);
    expect(after(testing, hung)).toBe(testing);
  });
});

describe("deadlines", () => {
  it("are 20 s for a small process and grow with its size", () => {
    expect(saveDeadlineMs(0)).toBe(20_000);
    expect(saveDeadlineMs(15e6)).toBeLessThan(21_000);
    expect(saveDeadlineMs(8e9)).toBe(180_000);
  });

  it("leave time for a replay under the same lease; a large process that takes longer does not hang", () => {
    expect(restoreDeadline(15e6)).toEqual({ ms: 20_300, isHang: true });
    expect(restoreDeadline(8e9)).toEqual({ ms: 22_000, isHang: false });
  });
});

describe("the clock of a run", () => {
  it("counts the time that earlier suspensions recorded, but not the time in which the run is suspended", () => {
    const clock = new RunClock(10_000, 4_000);
    expect(clock.endsAt).toBe(Number.POSITIVE_INFINITY);
    clock.run(1_000);
    expect(clock.endsAt).toBe(7_000);
    clock.stop(3_000);
    expect(clock.endsAt).toBe(Number.POSITIVE_INFINITY);
    clock.run(50_000);
    expect(clock.endsAt).toBe(54_000);
  });

  it("ends at once if all time was used before, and never without a limit", () => {
    const spent = new RunClock(1_000, 5_000);
    spent.run(100);
    expect(spent.endsAt).toBe(100);
    const unlimited = new RunClock(Number.POSITIVE_INFINITY, 0);
    unlimited.run(0);
    expect(unlimited.endsAt).toBe(Number.POSITIVE_INFINITY);
  });
});
