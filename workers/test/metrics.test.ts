import { env } from "cloudflare:workers";
import type { MetricsResponse, OrganizationUsageResponse, UsageResponse } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { Failure } from "../src/http/failure.ts";
import type { CountedStep } from "../src/metrics/metric-queries.ts";
import { quantile, seriesOf } from "../src/metrics/metrics-view.ts";
import { timeSpanOf, usageRangeOf } from "../src/metrics/time-span.ts";
import { openRepository } from "../src/storage/open.ts";
import { HOUR_MS, MINUTE_MS } from "../src/storage/rollup-columns.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { report, start } from "./host.ts";
import { anEmail, signIn } from "./person.ts";
import { aRun } from "./storage/a-run.ts";

const NOW = Date.parse("2026-11-27T12:34:56.000Z");

const at = (time: number, sums: Record<string, number>, key = ""): CountedStep => ({
  time,
  key,
  machine: "small-1x",
  sums,
});

describe("a chart's time", () => {
  it.each([
    ["1h", MINUTE_MS, 61],
    ["6h", 10 * MINUTE_MS, 37],
    ["24h", HOUR_MS, 25],
    ["7d", 3 * HOUR_MS, 57],
    ["90d", 48 * HOUR_MS, 46],
  ])("of %s has points of the length that suits it", (text, resolution, points) => {
    const period = { "1h": 1, "6h": 6, "24h": 24, "7d": 168, "90d": 2_160 }[text] as number;
    const span = timeSpanOf({ period: period * HOUR_MS }, NOW);
    expect(span.resolution).toBe(resolution);
    expect(span.step).toBe(resolution < HOUR_MS ? MINUTE_MS : HOUR_MS);
    expect((span.to - span.from) / span.resolution).toBe(points);
    expect(span.from).toBeLessThanOrEqual(NOW - period * HOUR_MS);
    expect(span.to).toBeGreaterThanOrEqual(NOW);
  });

  it.each([
    [{ period: 24 * HOUR_MS, resolution: MINUTE_MS }],
    [{ period: 90 * 24 * HOUR_MS, resolution: HOUR_MS }],
    [{ from: String(NOW - 91 * 24 * HOUR_MS) }],
    [{ from: String(NOW), to: String(NOW - 1) }],
  ])("%j is refused", (query) => {
    expect(() => timeSpanOf(query, NOW)).toThrow(Failure);
  });

  it("of usage begins at a full hour", () => {
    expect(usageRangeOf({}, NOW)).toEqual({ from: Date.parse("2026-10-28T12:00:00.000Z"), to: NOW });
  });
});

describe("a chart's points", () => {
  const span = { from: NOW - 3 * MINUTE_MS, to: NOW, resolution: MINUTE_MS, step: MINUTE_MS };

  it("derive the runs in progress from the current number and the changes since then", () => {
    const steps = [
      at(span.from, { created: 5, started: 5, finished: 1, completed: 1 }),
      at(span.from + 2 * MINUTE_MS, { started: 1, finished: 3, completed: 2, failed: 1 }),
      at(span.to, { started: 10, finished: 2 }),
    ];
    const { points, total } = seriesOf(steps, span, 20);
    expect(points.map((point) => point.inProgress)).toEqual([14, 14, 12]);
    expect(total).toMatchObject({
      created: 5,
      started: 6,
      ended: 4,
      failureRate: 0.25,
      byStatus: { COMPLETED: 3, FAILED: 1 },
    });
    expect(total.endedPerMinute).toBeCloseTo(4 / 3);
    expect(points[1]).toMatchObject({ created: 0, ended: 0, failureRate: null, durationP50Ms: null });
  });

  it("have the cost of their machines", () => {
    const { total } = seriesOf([at(span.from, { started: 2, usage_ms: 10_000 })], span, 0);
    expect(total.costInCents).toBeCloseTo(10 * 0.00338 + 2 * 0.0025);
  });
});

describe("a quantile of classes", () => {
  it("is interpolated within its class, and none of nothing", () => {
    expect(quantile([], 0.5)).toBeNull();
    expect(quantile([0, 0, 4], 0.5)).toBe(38);
    expect(quantile([4, 0, 0, 1], 0.95)).toBeGreaterThan(50);
  });
});

describe("metrics of runs", () => {
  let project: Project;
  beforeAll(async () => {
    project = await newProject();
    await deploy(project, ["charge", "mail"]);
    for (const [task, ok] of [
      ["charge", true],
      ["charge", false],
      ["mail", true],
    ] as const) {
      const { body } = await call<{ id: string }>("POST", `/api/v1/tasks/${task}/trigger`, project.prod, {
        payload: {},
        options: { maxAttempts: 1 },
      });
      const run = await start(body.id);
      const outcome = ok
        ? { type: "success", output: "1", outputType: "application/json" }
        : { type: "failure", error: { type: "STRING_ERROR", raw: "boom" } };
      const lease = { runId: body.id, token: run.token, completedAt: Date.now(), usageMs: 2_000 };
      await report({ completed: [{ ...lease, outcome }] });
    }
    await until(async () => (await metrics()).total.ended === 3);
  });

  const metrics = async (query = "") =>
    (await call<MetricsResponse>("GET", `/api/v1/metrics/runs${query}`, project.prod)).body;

  it("are counted by the minute and by the hour", async () => {
    for (const query of ["?period=1h", "?period=30m&resolution=5m", "", "?period=30d"]) {
      const answer = await metrics(query);
      expect(answer.total).toMatchObject({
        created: 3,
        started: 3,
        ended: 3,
        byStatus: { COMPLETED: 2, FAILED: 1 },
        computeSeconds: 6,
      });
      expect(answer.total.failureRate).toBeCloseTo(1 / 3);
      expect(answer.total.queueDelayP95Ms).toBeGreaterThanOrEqual(0);
      expect(answer.points.reduce((sum, point) => sum + point.ended, 0)).toBe(3);
      expect(answer.points.at(-1)?.inProgress).toBe(0);
      expect(answer.groups).toEqual([]);
    }
  });

  it("are limited to the requested tasks and queues, and grouped by them", async () => {
    expect((await metrics("?filter[taskIdentifier]=mail")).total).toMatchObject({ created: 1, ended: 1 });
    expect((await metrics("?filter[queue]=task/charge")).total).toMatchObject({ created: 2 });
    expect((await metrics("?filter[machine]=micro")).total).toMatchObject({ created: 0 });
    const { groups } = await metrics("?groupBy=task");
    expect(groups.map(({ key, total }) => [key, total.created])).toEqual([
      ["charge", 2],
      ["mail", 1],
    ]);
  });

  it("show runs that are in progress", async () => {
    const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/mail/trigger", project.prod, {
      payload: {},
    });
    await start(body.id);
    await until(async () => (await metrics()).points.at(-1)?.inProgress === 1);
    const { groups } = await metrics("?groupBy=task");
    expect(groups.map(({ key, points }) => [key, points.at(-1)?.inProgress])).toEqual([
      ["charge", 0],
      ["mail", 1],
    ]);
  });

  it("refuse times that are not kept", async () => {
    expect(await call("GET", "/api/v1/metrics/runs?period=24h&resolution=1m", project.prod)).toMatchObject({
      status: 400,
      body: { code: "invalid_request" },
    });
  });

  it("name the ten largest groups of many", async () => {
    const other = await newProject();
    const rows = Array.from({ length: 60 }, (_, index) =>
      aRun(other.prodKey, { task: `task-${index % 20}`, createdAt: Date.now() }),
    );
    await openRepository(env).upsertRuns(rows);
    const { body } = await call<MetricsResponse>("GET", "/api/v1/metrics/runs?groupBy=task", other.prod);
    expect(body.groups).toHaveLength(10);
    expect(body.total.created).toBe(60);
  });

  it("are summed up as usage, by machine, day and task", async () => {
    const { body } = await call<UsageResponse>("GET", "/api/v1/usage", project.prod);
    expect(body.total).toMatchObject({ computeSeconds: 6 });
    expect(body.total.costInCents).toBeCloseTo(body.total.runs * 0.0025 + 6 * 0.00338);
    expect(body.machines).toMatchObject([{ machine: "small-1x", computeSeconds: 6 }]);
    expect(body.days.reduce((sum, day) => sum + day.computeSeconds, 0)).toBe(6);
    expect(body.tasks.map((task) => task.taskIdentifier)).toEqual(["charge", "mail"]);
  });

  it("are summed up for the organization, by environment", async () => {
    const slug = project.ref.replace("proj_", "");
    const path = `/api/v1/organizations/${slug}/usage?period=1d`;
    const person = await signIn(anEmail(), { organization: slug, role: "viewer" });
    const { body } = await person.call<OrganizationUsageResponse>("GET", path);
    expect(body.environments).toMatchObject([
      { project: { ref: project.ref }, environment: "prod", computeSeconds: 6 },
    ]);
  });
});
