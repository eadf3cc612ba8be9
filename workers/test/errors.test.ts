import type { ErrorGroupDetail, ListErrorsResponse, ListRunsResponse } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { report, start } from "./host.ts";

const ERRORS = "/api/v1/errors";

/** A run of the task that fails with this message. */
async function fail(project: Project, task: string, message: string, name = "Error"): Promise<string> {
  const { body } = await call<{ id: string }>("POST", `/api/v1/tasks/${task}/trigger`, project.prod, {
    payload: {},
    options: { maxAttempts: 1 },
  });
  const run = await start(body.id);
  const stackTrace = `${name}: ${message}\n    at charge (file:///bundle/src/trigger/billing.ts:10:11)`;
  const error = { type: "BUILT_IN_ERROR", name, message, stackTrace };
  const completedAt = Date.now();
  await report({
    completed: [{ runId: body.id, token: run.token, completedAt, outcome: { type: "failure", error } }],
  });
  return body.id;
}

const list = async (project: Project, query = "") =>
  (await call<ListErrorsResponse>("GET", `${ERRORS}${query}`, project.prod)).body;

/** Waits until the query side has this many occurrences. */
const seen = (project: Project, count: number) =>
  until(async () => {
    const { data } = await list(project, "?page[size]=100");
    return data.reduce((sum, group) => sum + group.count, 0) >= count ? data : undefined;
  });

describe("errors", () => {
  let project: Project;
  let version: string;
  const runs: Record<string, string> = {};
  beforeAll(async () => {
    project = await newProject();
    version = await deploy(project, ["charge", "mail"]);
    runs.first = await fail(project, "charge", "Card 4711 of 'ann' was declined");
    runs.second = await fail(project, "charge", "Card 4712 of 'bob' was declined");
    runs.type = await fail(project, "charge", "Cannot read properties", "TypeError");
    runs.mail = await fail(project, "mail", "Card 4711 of 'ann' was declined");
    await seen(project, 4);
  });

  it("are failed runs, grouped by task, type and message without its data", async () => {
    const { data, pagination } = await list(project);
    expect(pagination).toEqual({});
    expect(data.map((group) => [group.taskIdentifier, group.errorType, group.count])).toEqual([
      ["mail", "Error", 1],
      ["charge", "TypeError", 1],
      ["charge", "Error", 2],
    ]);
    const [, , declined] = data;
    expect(declined).toMatchObject({ status: "unresolved", resolvedAt: null, ignoredUntil: null });
    expect(declined?.id).toBe(`error_${declined?.fingerprint}`);
    expect(declined?.activity).toHaveLength(24);
    expect(declined?.activity.reduce((sum, count) => sum + count, 0)).toBe(2);
  });

  it("are listed by frequency, and in pages both ways", async () => {
    const whole = await list(project, "?sort=count");
    expect(whole.data[0]).toMatchObject({ count: 2 });
    for (const sort of ["count", "lastSeen", "count&filter[createdAt][period]=1d"]) {
      const ids = (await list(project, `?sort=${sort}`)).data.map(({ id }) => id);
      const first = await list(project, `?sort=${sort}&page[size]=2`);
      expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      expect(first.pagination).toEqual({ next: ids[1] });
      const second = await list(project, `?sort=${sort}&page[size]=2&page[after]=${first.pagination.next}`);
      expect(second.data.map(({ id }) => id)).toEqual(ids.slice(2));
      expect(second.pagination).toEqual({ previous: ids[2] });
      const back = await list(project, `?sort=${sort}&page[size]=2&page[before]=${ids[2]}`);
      expect(back.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      expect(back.pagination).toEqual({ next: ids[1] });
    }
  });

  it.each([
    ["filter[taskIdentifier]=mail", 1],
    ["filter[taskIdentifier]=mail,charge", 3],
    ["filter[search]=CARD", 2],
    ["filter[search]=typeerror", 1],
    ["filter[search]=%25", 0],
    ["filter[status]=unresolved,ignored", 3],
    ["filter[status]=resolved", 0],
    ["filter[createdAt][period]=1h", 3],
    ["filter[createdAt][to]=2026-01-01T00:00:00Z", 0],
    ["filter[version]=20200101.1", 0],
  ])("are filtered by %s", async (filter, count) => {
    expect((await list(project, `?${filter}`)).data).toHaveLength(count);
  });

  it("are filtered by the version that failed", async () => {
    expect((await list(project, `?filter[version]=${version}`)).data).toHaveLength(3);
  });

  it("refuse invalid filters", async () => {
    expect(await call("GET", `${ERRORS}?filter[status]=open`, project.prod)).toMatchObject({ status: 400 });
    expect(await call("GET", `${ERRORS}?page[after]=error_x`, project.prod)).toMatchObject({ status: 400 });
  });

  it("list the runs of each, which a bulk action replays", async () => {
    const [id] = (await list(project, "?sort=count")).data.map((group) => group.id);
    const { body } = await call<ListRunsResponse>("GET", `/api/v1/runs?filter[error]=${id}`, project.prod);
    expect(body.data.map((run) => run.id)).toEqual([runs.second, runs.first]);
    const replay = { action: "replay", filter: { error: id } };
    const started = await call<{ id: string }>("POST", "/api/v1/bulk-actions", project.prod, replay);
    expect(started.status).toBe(202);
    await until(async () => {
      const action = await call("GET", `/api/v1/bulk-actions/${started.body.id}`, project.prod);
      return action.body.status === "COMPLETED" && action.body;
    });
    const action = await call("GET", `/api/v1/bulk-actions/${started.body.id}`, project.prod);
    expect(action.body).toMatchObject({ counts: { total: 2, success: 2, failure: 0 } });
  });

  it("say where and in which versions they happened", async () => {
    const [id] = (await list(project, "?sort=count")).data.map((group) => group.id);
    const { body } = await call<ErrorGroupDetail>("GET", `${ERRORS}/${id}`, project.prod);
    expect(body).toMatchObject({
      id,
      count: 2,
      affectedVersions: [version],
      resolutionMinutes: 60,
      stackTrace: expect.stringContaining("at charge (file:///bundle/src/trigger/billing.ts:10:11)"),
    });
    expect(body.lastRuns.map((run) => [run.id, run.status, run.version])).toEqual([
      [runs.second, "FAILED", version],
      [runs.first, "FAILED", version],
    ]);
    expect(body.series).toHaveLength(24);
    expect(body.series.reduce((sum, point) => sum + (point.versions[version] ?? 0), 0)).toBe(2);
    const days = await call<ErrorGroupDetail>(
      "GET",
      `${ERRORS}/${id}?filter[createdAt][period]=30d`,
      project.prod,
    );
    expect(days.body).toMatchObject({ resolutionMinutes: 1_440 });
    expect(days.body.series.length).toBeGreaterThanOrEqual(30);
  });

  it("are resolved until a later version fails with them", async () => {
    const other = await newProject();
    const first = await deploy(other, ["charge"]);
    await fail(other, "charge", "boom");
    const [group] = await seen(other, 1);
    const path = `${ERRORS}/${group?.id}`;
    const resolved = await call<ErrorGroupDetail>("POST", `${path}/resolve`, other.prod);
    expect(resolved).toMatchObject({
      status: 200,
      body: { status: "resolved", resolvedInVersion: first, resolvedBy: "secret key" },
    });
    await fail(other, "charge", "boom");
    await seen(other, 2);
    expect((await call(`GET`, path, other.prod)).body).toMatchObject({ status: "resolved", count: 2 });
    await deploy(other, ["charge", "another"]);
    // The version that new runs use is known by then.
    await until(async () => {
      await fail(other, "charge", "boom");
      const { body } = await call<ErrorGroupDetail>("GET", path, other.prod);
      return body.status === "unresolved" && body.reopenedAt !== null;
    });
  });

  it("are ignored up to a number, and opened again by hand", async () => {
    const [group] = (await list(project, "?filter[taskIdentifier]=mail")).data;
    const path = `${ERRORS}/${group?.id}`;
    const ignore = { totalOccurrences: 2, duration: 3_600_000, reason: "known" };
    const ignored = await call<ErrorGroupDetail>("POST", `${path}/ignore`, project.prod, ignore);
    expect(ignored.body).toMatchObject({
      status: "ignored",
      ignoredReason: "known",
      ignoredUntilTotalOccurrences: 3,
      ignoredByUserId: "secret key",
    });
    expect((await list(project, "?filter[status]=ignored")).data).toHaveLength(1);
    const opened = await call<ErrorGroupDetail>("POST", `${path}/unresolve`, project.prod);
    expect(opened.body).toMatchObject({ status: "unresolved", ignoredReason: null, ignoredUntil: null });
  });

  it("of another environment are not found", async () => {
    const [group] = (await list(project)).data;
    const other = await newProject();
    for (const [method, path] of [
      ["GET", ""],
      ["POST", "/resolve"],
      ["POST", "/ignore"],
      ["POST", "/unresolve"],
    ] as const)
      expect(await call(method, `${ERRORS}/${group?.id}${path}`, other.prod)).toMatchObject({
        status: 404,
        body: { code: "error_not_found" },
      });
  });
});
