import { describe, expect, it } from "vitest";
import { CUT_PX, TimeScale, ticksOf } from "../src/lib/trace/scale.ts";
import { rowsOf, traceOf } from "../src/lib/trace/spans.ts";

const T0 = Date.UTC(2026, 10, 27, 12);
const at = (ms: number) => new Date(T0 + ms).toISOString();
const run = {
  id: "run_1",
  taskIdentifier: "order",
  status: "COMPLETED",
  createdAt: at(0),
  finishedAt: at(100_000),
  isSuccess: true,
  isCancelled: false,
  isCompleted: true,
  isWaiting: false,
};
const event = (
  ms: number,
  type: string,
  properties: Record<string, unknown> = {},
  message: string = type,
) => ({
  time: at(ms),
  type,
  message,
  properties,
});
const operation = (number: number, from: number, to: number, kind = "step", name = "charge", attempt = 1) => [
  event(from, "operation.started", { attempt, number, kind, name }),
  event(to, "operation.completed", { attempt, number, kind, name }),
];

describe("the trace of a run", () => {
  it("has attempts below the run and operations below attempts, with the back-off between attempts", () => {
    const trace = traceOf({ ...run, isSuccess: false }, [
      event(0, "created"),
      event(10, "attempt.started", { attempt: 1, hostId: "host_a" }),
      ...operation(0, 20, 60),
      event(90, "attempt.failed", { attempt: 1 }, "Attempt 1 failed: no such card"),
      event(1_090, "attempt.started", { attempt: 2 }),
      ...operation(0, 1_100, 1_150, "step", "charge", 2),
    ]);
    expect(trace.startedAt).toBe(T0 + 10);
    expect(trace.spans.map(({ kind, name, parent }) => [kind, name, parent])).toEqual([
      ["run", "order", null],
      ["attempt", "Attempt 1", "run"],
      ["step", "charge", "attempt-1"],
      ["retry", "Backoff before attempt 2", "run"],
      ["attempt", "Attempt 2", "run"],
      ["step", "charge", "attempt-2"],
    ]);
    expect(trace.spans[1]).toMatchObject({ status: "failed", error: "no such card", hostId: "host_a" });
    expect(trace.spans[4]).toMatchObject({ status: "failed", end: T0 + 100_000 });
  });

  it("knows when it was suspended, what for, and how it was resumed", () => {
    const { suspensions, spans } = traceOf(run, [
      event(10, "attempt.started", { attempt: 1 }),
      event(20, "operation.started", {
        attempt: 1,
        number: 0,
        kind: "token",
        name: "waitpoint_1",
        target: "waitpoint_1",
      }),
      event(30, "suspended", { attempt: 1 }, "Suspended: waits for token waitpoint_1"),
      event(90_000, "resumed", { attempt: 1, by: "checkpoint" }),
      event(100_000, "attempt.completed", { attempt: 1 }),
    ]);
    expect(suspensions).toEqual([
      { from: T0 + 30, to: T0 + 90_000, reason: "token waitpoint_1", resumedBy: "checkpoint" },
    ]);
    expect(spans[1]?.suspensions).toEqual(suspensions);
    expect(spans[2]).toMatchObject({ kind: "token", target: "waitpoint_1" });
  });

  it("draws a run that was canceled while it waited as over", () => {
    const { suspensions } = traceOf({ ...run, isSuccess: false, isCancelled: true }, [
      event(10, "attempt.started", { attempt: 1 }),
      event(30, "suspended", { attempt: 1 }, "Suspended: waits for a date"),
    ]);
    expect(suspensions[0]?.to).toBe(T0 + 100_000);
  });

  it("shows a task named __proto__ like any other", () => {
    const { spans } = traceOf(
      { ...run, taskIdentifier: "__proto__" },
      operation(0, 1, 2, "step", "__proto__"),
    );
    expect(spans.map(({ name }) => name)).toEqual(["__proto__", "Attempt 1", "__proto__"]);
  });

  it("groups more than five siblings of one name, failed ones first, and opens the group on demand", () => {
    const events = [
      event(1, "attempt.started", { attempt: 1 }),
      ...Array.from({ length: 12 }, (_, n) =>
        operation(n, 10 + n * 10, 15 + n * 10, "step", "resize"),
      ).flat(),
      event(200, "operation.started", { attempt: 1, number: 20, kind: "step", name: "resize" }),
      event(
        210,
        "operation.failed",
        { attempt: 1, number: 20, kind: "step" },
        "Operation 20: step resize failed: full",
      ),
    ];
    const { spans } = traceOf(run, events);
    const rows = rowsOf(spans, new Set(), new Set());
    expect(rows).toHaveLength(3);
    expect(rows[2]).toMatchObject({ grouped: 13, failedInGroup: 1, depth: 2, open: false });
    const opened = rowsOf(spans, new Set(), new Set([rows[2]!.span.id]));
    expect(opened).toHaveLength(16);
    expect(opened[3]?.span).toMatchObject({ status: "failed", error: "full" });
    expect(rowsOf(spans, new Set(["run"]), new Set())).toHaveLength(1);
  });

  it("orders 10,000 spans without recursion", () => {
    const events = Array.from({ length: 10_000 }, (_, n) =>
      operation(n, n * 10, n * 10 + 5, "step", `s${n}`),
    ).flat();
    expect(rowsOf(traceOf(run, events).spans, new Set(), new Set())).toHaveLength(10_002);
  });
});

describe("the time scale", () => {
  it("is linear without cuts", () => {
    const scale = new TimeScale(0, 1_000, 500);
    expect([0, 500, 1_000, 2_000].map((time) => scale.project(time))).toEqual([0, 250, 500, 500]);
    expect(scale.unproject(250)).toBe(500);
  });

  it("draws a long wait as a break of fixed width, and what is beside it in proportion", () => {
    const scale = new TimeScale(0, 1_000_000, 500, [{ from: 500, to: 999_500 }]);
    expect(scale.cuts).toHaveLength(1);
    expect(scale.project(500)).toBeCloseTo((500 - CUT_PX) / 2);
    expect(scale.project(999_500) - scale.project(500)).toBeCloseTo(CUT_PX);
    expect(scale.project(1_000_000)).toBeCloseTo(500);
    for (const time of [0, 250, 500, 999_750]) expect(scale.unproject(scale.project(time))).toBeCloseTo(time);
  });

  it("leaves short waits as they are", () => {
    expect(new TimeScale(0, 1_000, 500, [{ from: 400, to: 600 }]).cuts).toHaveLength(0);
  });

  it("joins cuts that touch and keeps to its edges", () => {
    const scale = new TimeScale(0, 1_000, 500, [
      { from: -50, to: 400 },
      { from: 400, to: 900 },
    ]);
    expect(scale.cuts).toMatchObject([{ from: 0, to: 900 }]);
  });

  it("never goes backwards", () => {
    const scale = new TimeScale(0, 10_000, 700, [
      { from: 100, to: 4_000 },
      { from: 4_200, to: 9_000 },
    ]);
    let last = -1;
    for (let time = 0; time <= 10_000; time += 50) {
      const px = scale.project(time);
      expect(px).toBeGreaterThanOrEqual(last);
      last = px;
    }
  });

  it("has round ticks that don't overlap", () => {
    const ticks = ticksOf(new TimeScale(T0, T0 + 55_000, 500));
    expect(ticks.map(({ offset }) => offset)).toEqual([0, 15_000, 30_000, 45_000]);
  });
});
