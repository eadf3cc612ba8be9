import type { MetricsMinute } from "@acme/durable-objects/rpc";
import type { QueueMetrics } from "@acme/sdk/contract/api";
import { describe, expect, it, vi } from "vitest";
import { metricsPoints, quantile } from "../src/views/queue-metrics-view.ts";
import { call, deploy, newProject } from "./client.ts";
import { finish } from "./host.ts";

const minute = (number: number, changes: Partial<MetricsMinute>): MetricsMinute => ({
  minute: number,
  queuedMost: 0,
  queuedLast: 0,
  runningMost: 0,
  runningLast: 0,
  started: 0,
  ended: 0,
  delays: [],
  ...changes,
});

describe("a queue over time", () => {
  it("keeps its depth while nothing happens, and adds up its partitions", () => {
    const first = [
      minute(5, { queuedMost: 9, queuedLast: 4 }),
      minute(11, { queuedMost: 6, queuedLast: 2, started: 4, delays: [4] }),
    ];
    const second = [
      minute(12, { queuedMost: 3, queuedLast: 0, runningMost: 1, ended: 3, started: 1, delays: [0, 1] }),
    ];
    const points = metricsPoints([first, second], { from: 10, to: 14, resolution: 1 });
    expect(points.map(({ queued, running, started, ended }) => [queued, running, started, ended])).toEqual([
      [4, 0, 0, 0],
      [6, 0, 4, 0],
      [5, 1, 1, 3],
      [2, 0, 0, 0],
    ]);
    expect(points.map(({ delayP95Ms }) => delayP95Ms)).toEqual([null, 10, 20, null]);
    const [one] = metricsPoints([first, second], { from: 10, to: 14, resolution: 4 });
    expect(one).toMatchObject({
      queued: 9,
      running: 1,
      started: 5,
      ended: 3,
      time: new Date(600_000).toISOString(),
    });
  });

  it("has a last point that reaches beyond the end", () => {
    const points = metricsPoints([[minute(11, { queuedMost: 2, queuedLast: 1 })]], {
      from: 10,
      to: 14,
      resolution: 3,
    });
    expect(points.map(({ queued }) => queued)).toEqual([2, 1]);
  });

  it("has delays by class, interpolated", () => {
    expect(quantile([], 0.5)).toBeNull();
    expect(quantile([10], 0.5)).toBe(5);
    expect(quantile([0, 0, 0, 0, 0, 0, 100], 0.95)).toBe(975);
    expect(quantile([95, 0, 0, 0, 0, 0, 5], 0.95)).toBe(10);
    const longest = Array<number>(22).fill(0);
    longest[21] = 1;
    expect(quantile(longest, 0.5)).toBe(86_400_000);
  });
});

describe("GET /api/v1/queues/:queue/metrics", () => {
  it("counts what happens, and takes a period and a resolution", { timeout: 60_000 }, async () => {
    const project = await newProject();
    await deploy(project, ["hello"]);
    const get = (query: string, key = project.prod) =>
      call<QueueMetrics & { code: string }>("GET", `/api/v1/queues/hello/metrics?type=task${query}`, key);
    const empty = (await get("")).body;
    expect(empty).toMatchObject({ resolutionMinutes: 1, delayP95Ms: null });
    expect(empty.points).toHaveLength(60);
    const ids: string[] = [];
    for (let n = 0; n < 3; n++)
      ids.push((await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {})).body.id);
    for (const id of ids) await finish(id);
    const totals = await vi.waitFor(
      async () => {
        const { points, delayP95Ms, delayP50Ms } = (await get("&period=10m")).body;
        expect(points).toHaveLength(10);
        expect(points.reduce((sum, { ended }) => sum + ended, 0)).toBe(3);
        return { points, delayP95Ms, delayP50Ms };
      },
      { timeout: 20_000 },
    );
    expect(totals.points.reduce((sum, { started }) => sum + started, 0)).toBe(3);
    expect(Math.max(...totals.points.map(({ queued }) => queued))).toBeGreaterThan(0);
    expect(Math.max(...totals.points.map(({ running }) => running))).toBeGreaterThan(0);
    expect(totals.delayP95Ms).toBeGreaterThanOrEqual(totals.delayP50Ms as number);
    const day = (await get("&period=24h&resolution=15m")).body;
    expect(day.resolutionMinutes).toBe(15);
    expect([96, 97]).toContain(day.points.length);
    for (const query of ["&period=25h", "&period=90s", "&period=24h&resolution=1m", "&resolution=0m"])
      expect((await get(query)).status, query).toBe(400);
    expect((await get("", project.dev)).status).toBe(404);
  });
});
