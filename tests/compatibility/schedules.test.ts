import { auth, configure, runs, schedules } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

/** Written for Trigger.dev; returns what it was given. */
const TASKS = `
import { schedules, task } from "@trigger.dev/sdk";
const received = async (payload) => ({
  ...payload,
  dates: [payload.timestamp, ...payload.upcoming].every((date) => date instanceof Date),
  last: payload.lastTimestamp instanceof Date,
});
export const declared = schedules.task({ id: "declared", cron: "* * * * *", run: received });
export const yearly = schedules.task({
  id: "yearly",
  cron: { pattern: "0 12 1 1 *", timezone: "Asia/Tokyo", environments: ["PRODUCTION"], window: "30m" },
  run: received,
});
export const elsewhere = schedules.task({ id: "elsewhere", cron: { pattern: "@daily", environments: ["STAGING"] }, run: received });
export const attached = schedules.task({ id: "attached", run: received });
export const plain = task({ id: "plain", run: async () => {} });
`;

describe("schedules of @trigger.dev/sdk 4.8.3", () => {
  let server: LocalServer;
  beforeAll(async () => {
    server = await startLocalServer({ example: false });
    configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
    await deployTaskFile(server, TASKS);
  });
  afterAll(() => server?.stop());

  const create = (more: object = {}) =>
    schedules.create({ task: "attached", cron: "0 9 * * 1-5", deduplicationKey: "user-1", ...more });

  it("creates, updates by deduplication key and by id, retrieves, deactivates, activates and deletes", async () => {
    const created = await create({ externalId: "user-1", timezone: "America/New_York", window: "10%" });
    expect(created).toMatchObject({
      type: "IMPERATIVE",
      task: "attached",
      active: true,
      deduplicationKey: "user-1",
      externalId: "user-1",
      generator: {
        type: "CRON",
        expression: "0 9 * * 1-5",
        description: "At 09:00 AM, Monday through Friday",
      },
      timezone: "America/New_York",
      window: "10%",
    });
    expect(created.nextRun).toBeInstanceOf(Date);
    expect(created.nextRunEffectiveAt).toBeInstanceOf(Date);
    expect((await create({ cron: "@weekly" })).id).toBe(created.id);
    const updated = await schedules.update(created.id, {
      task: "attached",
      cron: "0 0 * * *",
      externalId: "2",
    });
    expect(updated).toMatchObject({
      id: created.id,
      externalId: "2",
      generator: { expression: "0 0 * * *" },
    });
    expect(await schedules.retrieve(created.id)).toEqual(updated);
    expect(await schedules.deactivate(created.id)).toMatchObject({ active: false });
    expect(await schedules.activate(created.id)).toEqual(updated);
    expect(await schedules.del(created.id)).toEqual({ id: created.id });
    await expect(schedules.retrieve(created.id)).rejects.toMatchObject({ status: 404 });
  });

  it("lists declared and created ones, page by page", async () => {
    for (let n = 0; n < 5; n++) await create({ deduplicationKey: `list-${n}` });
    const seen: string[] = [];
    for await (const schedule of schedules.list({ perPage: 2 })) {
      seen.push(schedule.deduplicationKey ?? schedule.task);
    }
    expect(seen).toEqual(["list-4", "list-3", "list-2", "list-1", "list-0", "yearly", "declared"]);
    const page = await schedules.list({ page: 2, perPage: 3 });
    expect(page.pagination).toEqual({ currentPage: 2, totalPages: 3, count: 7 });
    expect(page.hasNextPage()).toBe(true);
    const yearly = (await schedules.list()).data.find(({ task }) => task === "yearly");
    expect(yearly).toMatchObject({ type: "DECLARATIVE", timezone: "Asia/Tokyo", window: "30m" });
    expect(yearly?.nextRun?.toISOString()).toMatch(/-01-01T03:00:00.000Z$/);
  });

  it("lists time zones", async () => {
    const { timezones } = await schedules.timezones();
    expect(timezones[0]).toBe("UTC");
    expect((await schedules.timezones({ excludeUtc: true })).timezones).toEqual(timezones.slice(1));
  });

  it("gets errors with the status that it knows", async () => {
    const wrong: [object, RegExp][] = [
      [{ cron: "nope" }, /"nope" is invalid/],
      [{ timezone: "Mars/Olympus" }, /is not an IANA time zone/],
      [{ task: "nope" }, /Task "nope" is not in deployment/],
      [{ task: "plain" }, /Task "plain" is not a scheduled task/],
    ];
    for (const [more, message] of wrong) {
      await expect(create({ deduplicationKey: "wrong", ...more })).rejects.toMatchObject({
        status: 422,
        message: expect.stringMatching(message),
      });
    }
    await auth.withAuth({ baseURL: server.apiUrl, accessToken: server.devSecretKey }, async () => {
      expect((await schedules.list()).data).toEqual([]);
    });
  });

  it("a deployed schedules.task runs at its minute, with its times as dates", async () => {
    const listed = await eventually(
      "a run is completed",
      async () => (await runs.list({ taskIdentifier: "declared", status: "COMPLETED" })).data[0],
      90_000,
    );
    const run = await runs.retrieve(listed.id);
    const minute = new Date(run.output.timestamp).getTime();
    expect(minute % 60_000).toBe(0);
    expect(run.createdAt.getTime()).toBeGreaterThanOrEqual(minute);
    expect(run.output).toMatchObject({ type: "DECLARATIVE", timezone: "UTC", dates: true });
    expect(run.output).not.toHaveProperty("externalId");
    expect(run.output.upcoming.map((time: string) => Date.parse(time))).toEqual(
      [1, 2, 3, 4, 5].map((n) => minute + n * 60_000),
    );
    const { scheduleId } = run.output;
    expect(run.schedule).toMatchObject({
      id: scheduleId,
      generator: { expression: "* * * * *", description: "Every minute" },
    });
    expect((await schedules.retrieve(scheduleId)).nextRun!.getTime()).toBeGreaterThan(minute);
    // Its schedule is removed with it.
    await deployTaskFile(server, TASKS.replace('cron: "* * * * *", ', ""));
    await expect(schedules.retrieve(scheduleId)).rejects.toMatchObject({ status: 404 });
  });
});
