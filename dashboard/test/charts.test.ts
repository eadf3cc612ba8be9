import { spanIdOfAttempt, spanIdOfOperation, spanIdOfRun } from "@acme/sdk/contract/trace-context";
import { describe, expect, it } from "vitest";
import type { RecordedSpan } from "../src/lib/api/environment-api.ts";
import {
  highest,
  linePath,
  loneDots,
  roundEnd,
  stackedBars,
  timeTicks,
} from "../src/lib/charts/chart-scale.ts";
import { parsePeriod, periodQuery } from "../src/lib/charts/period.ts";
import { daysOf } from "../src/lib/metrics/days.ts";
import { money, outcomeSeries, percent } from "../src/lib/metrics/series.ts";
import { withRecorded } from "../src/lib/trace/recorded.ts";
import { closedAtFirst, rowsOf, type Span } from "../src/lib/trace/spans.ts";
import { fitted, panned, windowOf, windowText, within, zoomed } from "../src/lib/trace/view.ts";

const T0 = Date.UTC(2026, 10, 27, 12);

describe("a chart", () => {
  const series = (...values: (number | null)[]) => ({ key: "a", label: "a", color: "red", values });
  it("has a round end that its values fit under", () => {
    expect([0, 0.03, 1, 7, 61, 1_201].map(roundEnd)).toEqual([1, 0.03, 1, 8, 80, 1_500]);
    expect(highest([series(1, 5), series(2, 1)], false)).toBe(5);
    expect(highest([series(1, 5), series(2, 1)], true)).toBe(6);
    expect(highest([], true)).toBe(0);
  });

  it("breaks its lines where nothing is known, and has a dot for a value between two gaps", () => {
    const box = { width: 40, height: 10 };
    expect(linePath([1, 2, null, 2], 2, box)).toBe("M5.0 5.0L15.0 0.0M35.0 0.0");
    expect(loneDots([1, 2, null, 2], 2, box)).toEqual([{ x: 35, y: 0 }]);
    expect(linePath([], 2, { width: 40, height: 10 })).toBe("");
  });

  it("stacks bars, and shows the least of them", () => {
    const bars = stackedBars([series(1_000, 0), series(1, 3)], 1_003, { width: 20, height: 100 });
    expect(bars.map(({ x, height }) => [x, Math.round(height)])).toEqual([
      [0, 100],
      [0, 1],
      [10, 1],
    ]);
  });

  it("labels round moments, also in a zone", () => {
    expect(timeTicks(T0 + 1, T0 + 3 * 3_600_000, 3)).toEqual([T0 + 3_600_000, T0 + 7_200_000]);
    const [first] = timeTicks(T0, T0 + 4 * 86_400_000, 4, 3_600_000);
    expect(new Date(first ?? 0).toISOString()).toBe("2026-11-27T23:00:00.000Z");
  });
});

describe("the time of a page", () => {
  it("is a period, or what was brushed; anything else is the default", () => {
    expect(parsePeriod(new URLSearchParams("period=7d"), "24h")).toEqual({ period: "7d" });
    expect(parsePeriod(new URLSearchParams("period=soon"), "24h")).toEqual({ period: "24h" });
    expect(parsePeriod(new URLSearchParams("from=2&to=1"), "24h")).toEqual({ period: "24h" });
    const brushed = parsePeriod(new URLSearchParams("from=1000&to=2000"), "24h");
    expect(periodQuery(brushed)).toEqual({
      from: "1970-01-01T00:00:01.000Z",
      to: "1970-01-01T00:00:02.000Z",
    });
  });

  it("has each day, also one without runs", () => {
    const { from, values } = daysOf([{ day: "2026-11-26", costInCents: 3 }], T0 - 2 * 86_400_000, T0);
    expect(new Date(from).toISOString()).toBe("2026-11-25T00:00:00.000Z");
    expect(values.map(({ costInCents }) => costInCents)).toEqual([0, 3, 0]);
  });

  it("says numbers as people read them", () => {
    expect([null, 0, 0.004, 0.123].map(percent)).toEqual(["–", "0 %", "0.4 %", "12 %"]);
    expect([0, 0.3, 42, 120_400].map(money)).toEqual(["$0", "< $0.01", "$0.42", "$1,204"]);
    const points = [{ byStatus: { COMPLETED: 2, CRASHED: 1, FAILED: 1 } }, { byStatus: {} }];
    expect(outcomeSeries(points).map(({ key, values }) => [key, values])).toEqual([
      ["completed", [2, 0]],
      ["failed", [2, 0]],
    ]);
  });
});

describe("the part of a trace in sight", () => {
  const all = { from: 0, to: 1_000 };
  it("zooms around a time, never beyond the trace", () => {
    expect(zoomed(null, all, 0.5, 200)).toEqual({ from: 100, to: 600 });
    expect(zoomed({ from: 100, to: 600 }, all, 10, 200)).toBeNull();
    expect(panned({ from: 100, to: 600 }, all, 5)).toEqual({ from: 500, to: 1_000 });
    expect(panned({ from: 100, to: 600 }, all, -5)).toEqual({ from: 0, to: 500 });
    expect(panned(null, all, 1)).toBeNull();
    expect(fitted({ from: 500, to: 600 }, all)).toEqual({ from: 490, to: 610 });
    expect(within({ from: -50, to: 2_000 }, all)).toBeNull();
  });

  it("is kept in the address", () => {
    const later = { from: T0, to: T0 + 1_000 };
    const text = windowText({ from: T0 + 10, to: T0 + 20 }, T0);
    expect(text).toBe("10-20");
    expect(windowOf(text, later)).toEqual({ from: T0 + 10, to: T0 + 20 });
    for (const wrong of [null, "", "20-10", "a-b", "5000-6000", "-1-5"])
      expect(windowOf(wrong, later)).toBeNull();
  });
});

describe("recorded spans in a run's trace", () => {
  const own: Span[] = [
    {
      id: "run",
      parent: null,
      kind: "run",
      name: "order",
      start: T0,
      status: "ok",
      end: T0 + 900,
      suspensions: [],
    },
    {
      id: "attempt-1",
      parent: "run",
      kind: "attempt",
      name: "Attempt 1",
      start: T0 + 1,
      attempt: 1,
      status: "ok",
      end: T0 + 900,
      suspensions: [],
    },
    {
      id: "op-1-0",
      parent: "attempt-1",
      kind: "step",
      name: "charge",
      start: T0 + 10,
      attempt: 1,
      number: 0,
      status: "ok",
      end: T0 + 90,
      suspensions: [],
    },
    {
      id: "op-1-1",
      parent: "attempt-1",
      kind: "child",
      name: "mail",
      start: T0 + 100,
      attempt: 1,
      number: 1,
      target: "run_2",
      status: "ok",
      end: T0 + 300,
      suspensions: [],
    },
  ];
  const recorded = (
    id: string,
    parentId: string | undefined,
    kind: RecordedSpan["kind"],
    ms: number,
    runId = "run_1",
  ): RecordedSpan => ({
    id,
    parentId,
    runId,
    message: id,
    startTime: new Date(T0 + ms).toISOString(),
    duration: 5e6,
    isError: false,
    isPartial: false,
    isCancelled: false,
    level: "TRACE",
    kind,
  });
  const trace = [
    recorded("above", undefined, "service", -10),
    recorded(spanIdOfRun("run_1"), "above", "run", 0),
    recorded(spanIdOfAttempt("run_1", 1), spanIdOfRun("run_1"), "attempt", 1),
    recorded(spanIdOfOperation("run_1", 1, 0), spanIdOfAttempt("run_1", 1), "step", 10),
    recorded("stripe", spanIdOfOperation("run_1", 1, 0), "trace", 20),
    recorded("fetch", "stripe", "fetch", 21),
    recorded(spanIdOfRun("run_2"), spanIdOfRun("run_1"), "run", 110, "run_2"),
    recorded("child-attempt", spanIdOfRun("run_2"), "attempt", 120, "run_2"),
    recorded(spanIdOfRun("run_3"), "above", "run", 0, "run_3"),
  ];

  it("come below what they happened in, and those of a child below the operation that triggered it", () => {
    const rows = rowsOf(withRecorded(own, trace, "run_1"), new Set(), new Set());
    expect(rows.map(({ span, depth }) => [span.name, span.kind, depth])).toEqual([
      ["order", "run", 0],
      ["Attempt 1", "attempt", 1],
      ["charge", "step", 2],
      ["stripe", "span", 3],
      ["fetch", "fetch", 4],
      ["mail", "child", 2],
      ["child-attempt", "attempt", 3],
    ]);
  });

  it("are left out where they form a loop, and change nothing where there are none", () => {
    const loop = [recorded("a", "b", "custom", 1), recorded("b", "a", "custom", 1)];
    expect(withRecorded(own, loop, "run_1")).toEqual(own);
    expect(withRecorded(own, [], "run_1")).toEqual(own);
  });

  it("are closed at first where they are many and deep, but not on the way to a failure", () => {
    const many: Span[] = [own[0]!];
    for (let n = 0; n < 300; n++) {
      const base = { start: T0 + n, end: T0 + n + 1, suspensions: [], kind: "span" as const };
      many.push({ ...base, id: `a${n}`, parent: n === 0 ? "run" : "a0", name: `a${n}`, status: "ok" });
      many.push({ ...base, id: `b${n}`, parent: `a${n}`, name: `b${n}`, status: n === 7 ? "failed" : "ok" });
    }
    const closed = closedAtFirst(many);
    expect(closed.has("a5")).toBe(true);
    expect(closed.has("a7")).toBe(false);
    expect(closed.has("a0")).toBe(false);
    expect(closedAtFirst(own).size).toBe(0);
  });
});
