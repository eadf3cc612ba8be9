import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { parseRunId } from "@acme/sdk/contract";
import { ScheduleObject } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { call, deployTasks, newProject, type Project } from "./client.ts";

const SCHEDULES = "/api/v1/schedules";

interface Refusal {
  code: string;
  error: string;
  issues?: { path: string; message: string }[];
}

let project: Project;
beforeAll(async () => {
  project = await newProject();
  await deployTasks(project, [
    { id: "clock", triggerSource: "schedule" },
    { id: "daily", triggerSource: "schedule", schedule: { cron: "0 3 * * *", timezone: "Europe/Paris" } },
    { id: "plain" },
  ]);
});

const api = <T = ScheduleObject>(method: string, path: string, body?: unknown, key = project.prod) =>
  call<T>(method, `${SCHEDULES}${path}`, key, body);
const create = (body: Record<string, unknown>) =>
  api<ScheduleObject & Refusal>("POST", "", {
    task: "clock",
    cron: "0 0 1 1 *",
    deduplicationKey: "key",
    ...body,
  });

describe("the schedules API", () => {
  it("creates, updates, deactivates, activates, retrieves, lists and deletes", async () => {
    const created = await create({ externalId: "user-1", timezone: "America/New_York", window: "30m" });
    expect(created.status).toBe(200);
    expect(ScheduleObject.parse(created.body)).toEqual(created.body);
    expect(created.body).toMatchObject({
      type: "IMPERATIVE",
      task: "clock",
      active: true,
      deduplicationKey: "key",
      externalId: "user-1",
      timezone: "America/New_York",
      window: "30m",
      generator: {
        type: "CRON",
        expression: "0 0 1 1 *",
        description: "At 12:00 AM, on day 1 of the month, only in January",
      },
      environments: [{ type: "PRODUCTION" }],
    });
    const { id, nextRun, nextRunEffectiveAt } = created.body;
    expect(nextRun).toMatch(/-01-01T05:00:00.000Z$/);
    const offset = Date.parse(nextRunEffectiveAt as string) - Date.parse(nextRun as string);
    expect(offset).toBeGreaterThanOrEqual(0);
    expect(offset).toBeLessThan(30 * 60_000);

    expect((await create({ cron: "*/5 * * * *" })).body).toMatchObject({ id, timezone: "UTC" });
    const updated = await api("PUT", `/${id}`, { task: "clock", cron: "0 12 * * 1", externalId: "user-2" });
    expect(updated.body).toMatchObject({ id, externalId: "user-2", generator: { expression: "0 12 * * 1" } });
    const inactive = await api("POST", `/${id}/deactivate`);
    expect(inactive.body).toMatchObject({ id, active: false });
    expect(inactive.body).not.toHaveProperty("nextRun");
    expect((await api("POST", `/${id}/activate`)).body).toEqual(updated.body);
    expect((await api("GET", `/${id}`)).body).toEqual(updated.body);
    expect((await api("GET", "/key")).body).toEqual(updated.body);

    const all = (await api<{ data: ScheduleObject[] }>("GET", "")).body;
    expect(all).toMatchObject({
      data: [{ id }, { task: "daily", type: "DECLARATIVE" }],
      pagination: { currentPage: 1, totalPages: 1, count: 2 },
    });
    expect((await api("GET", "?page=2&perPage=1")).body).toMatchObject({
      data: [{ task: "daily" }],
      pagination: { currentPage: 2, totalPages: 2, count: 2 },
    });
    expect((await api("DELETE", `/${id}`)).body).toEqual({ id });
    expect((await api("GET", `/${id}`)).status).toBe(404);
  });

  it("says what is wrong", async () => {
    const cases: [Record<string, unknown>, number, string, RegExp][] = [
      [{ cron: "61 * * * *" }, 422, "invalid_cron", /"61 \* \* \* \*" is invalid/],
      [{ cron: "* * * * * *" }, 422, "invalid_cron", /seconds are not supported/],
      [{ timezone: "Mars/Olympus" }, 422, "invalid_timezone", /"Mars\/Olympus" is not an IANA time zone/],
      [
        { task: "nope" },
        422,
        "task_not_found",
        /Task "nope" is not in deployment \d+\.\d+ of environment "prod"/,
      ],
      [
        { task: "plain" },
        422,
        "task_not_scheduled",
        /Task "plain" is not a scheduled task\. Define it with schedules\.task/,
      ],
      [{ window: "25h" }, 400, "invalid_request", /window: Give whole minutes or hours/],
      [{ deduplicationKey: undefined }, 400, "invalid_request", /Give a deduplicationKey/],
      [{ deduplicationKey: "" }, 400, "invalid_request", /Give a deduplicationKey/],
      [{ cron: undefined }, 400, "invalid_request", /cron/],
    ];
    for (const [body, status, code, message] of cases) {
      const answer = await create({ deduplicationKey: "wrong", ...body });
      expect([answer.status, answer.body.code, answer.body.error]).toEqual([
        status,
        code,
        expect.stringMatching(message),
      ]);
    }
    expect((await api("GET", "/wrong")).status).toBe(404);
    for (const [method, path] of [
      ["GET", ""],
      ["PUT", ""],
      ["DELETE", ""],
      ["POST", "/activate"],
      ["POST", "/deactivate"],
    ]) {
      const answer = await api<Refusal>(
        method as string,
        `/sched_nope${path}`,
        method === "PUT" ? { task: "clock", cron: "* * * * *" } : undefined,
      );
      expect([answer.status, answer.body.code]).toEqual([404, "schedule_not_found"]);
    }
    expect((await api<Refusal>("GET", "?perPage=1000")).body.code).toBe("invalid_request");
    const declared = (await api<{ data: ScheduleObject[] }>("GET", "")).body.data.find(
      ({ task }) => task === "daily",
    );
    expect((await api<Refusal>("DELETE", `/${declared?.id}`)).body).toMatchObject({
      code: "declarative_schedule",
    });
  });

  it("does not find another environment's schedules", async () => {
    const { id } = (await create({ deduplicationKey: "mine" })).body;
    const other = await newProject();
    await deployTasks(other, [{ id: "clock", triggerSource: "schedule" }]);
    for (const key of [other.prod, project.dev]) {
      expect((await api("GET", `/${id}`, undefined, key)).status).toBe(404);
      expect((await api("DELETE", `/${id}`, undefined, key)).status).toBe(404);
      expect((await api("GET", "", undefined, key)).body).toMatchObject({ data: [] });
    }
    expect((await api("GET", `/${id}`)).status).toBe(200);
    expect((await api("GET", `/${id}`, undefined, "tr_prod_wrong")).status).toBe(401);
  });

  it("lists time zones to everyone", async () => {
    const { body } = await call<{ timezones: string[] }>("GET", "/api/v1/timezones", null);
    expect(body.timezones[0]).toBe("UTC");
    expect(body.timezones).toContain("Europe/London");
    const without = await call<{ timezones: string[] }>("GET", "/api/v1/timezones?excludeUtc=true", null);
    expect(without.body.timezones).toEqual(body.timezones.slice(1));
  });
});

describe("a deployment", () => {
  it("whose task has an invalid schedule is refused as a whole", async () => {
    const other = await newProject();
    const refused = await deployTasks(other, [
      { id: "clock", triggerSource: "schedule", schedule: { cron: "0 25 * * *" } },
    ]);
    expect(refused).toMatchObject({ status: 422, body: { code: "invalid_cron" } });
    expect(refused.body.error).toMatch(
      /^Task "clock" in clock\.ts: The cron expression "0 25 \* \* \*" is invalid\..*Nothing was deployed\.$/,
    );
    const deployments = await call<{ data: unknown[] }>(
      "GET",
      `/api/v1/projects/${other.ref}/prod/deployments`,
      other.accessToken,
    );
    expect(deployments.body.data).toEqual([]);
  });
});

describe("the run of a tick", () => {
  it("shows its schedule and its payload, and is listed by it", async () => {
    const { id } = (await create({ deduplicationKey: "due", externalId: "user-9" })).body;
    const key = parseRunId(
      (await call<{ id: string }>("POST", "/api/v1/tasks/clock/trigger", project.prod, {})).body.id,
    )?.environmentKey as string;
    const stub = env.ENVIRONMENT.getByName(key);
    const tick = Date.now() - 1;
    await runInDurableObject(stub, (_, state) => {
      state.storage.sql.exec("UPDATE schedules SET next_tick = ?, due_at = ? WHERE id = ?", tick, tick, id);
    });
    await runDurableObjectAlarm(stub);
    const run = await until(async () => {
      const list = await call<{ data: { id: string }[] }>(
        "GET",
        `/api/v1/runs?filter[schedule]=${id}`,
        project.prod,
      );
      return list.body.data[0];
    });
    const { body } = await call("GET", `/api/v3/runs/${run.id}`, project.prod);
    expect(body).toMatchObject({
      taskIdentifier: "clock",
      idempotencyKey: `${id}:${new Date(tick).toISOString()}`,
      schedule: {
        id,
        externalId: "user-9",
        deduplicationKey: "due",
        generator: { type: "CRON", expression: "0 0 1 1 *" },
      },
      payload: {
        scheduleId: id,
        type: "IMPERATIVE",
        externalId: "user-9",
        timestamp: new Date(tick).toISOString(),
      },
    });
    expect((await api("GET", `/${id}`)).body.lastRun).toBe(new Date(tick).toISOString());
  });
});

describe("the preview of a cron expression", () => {
  const previewOf = (query: Record<string, string>) =>
    call<{
      ticks: { at: string; offsetMinutes: number }[];
      code: string;
      generator: { description: string };
    }>("GET", `/api/v1/cron-preview?${new URLSearchParams(query)}`, project.prod);

  it("says when it is due, and where clocks are changed", async () => {
    const query = { cron: "30 2 * * *", timezone: "Europe/Berlin", after: "2027-03-26T12:00:00Z" };
    const { body } = await previewOf(query);
    // Clocks skip 02:30 on 28 March: the tick comes when they show 03:30.
    expect(body.ticks).toEqual([
      { at: "2027-03-27T01:30:00.000Z", offsetMinutes: 60 },
      { at: "2027-03-28T01:30:00.000Z", offsetMinutes: 120 },
      { at: "2027-03-29T00:30:00.000Z", offsetMinutes: 120 },
      { at: "2027-03-30T00:30:00.000Z", offsetMinutes: 120 },
      { at: "2027-03-31T00:30:00.000Z", offsetMinutes: 120 },
    ]);
    expect(body.generator.description).toBe("At 02:30 AM");
  });

  it("says what is wrong with an expression or a zone", async () => {
    const wrong = await previewOf({ cron: "61 * * * *" });
    expect([wrong.status, wrong.body.code]).toEqual([422, "invalid_cron"]);
    const nowhere = await previewOf({ cron: "* * * * *", timezone: "Mars/Olympus" });
    expect([nowhere.status, nowhere.body.code]).toEqual([422, "invalid_timezone"]);
  });
});
