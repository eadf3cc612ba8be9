import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import type { DequeuedRun, TaskManifest } from "@acme/sdk/contract";
import { deserialize } from "superjson";
import { describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { type Firing, firingsAfter, itemOf, pickDue } from "../src/environment/schedules/firing.ts";
import type {
  EnvironmentSchedulesRpc,
  ScheduleError,
  ScheduleRecord,
} from "../src/environment/schedules/rpc.ts";
import { phaseOf } from "../src/environment/schedules/window.ts";
import { objectSql } from "../src/lib/sql.ts";
import { indexed } from "../src/routing/declaration.ts";
import { enqueueRuns } from "../src/routing/enqueue.ts";
import { queueKeyOf } from "../src/routing/keys.ts";
import { poolOf } from "../src/routing/pool.ts";
import type { EnvironmentRef, PromotedDeployment } from "../src/rpc.ts";
import { bindings, Scene } from "./scene.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The expression of most schedules here, which have no tick while a test runs. */
const YEARLY = "0 0 1 1 *";
const DAILY = { cron: "0 3 * * *", timezone: "Europe/Paris" };

interface Payload {
  scheduleId: string;
  type: string;
  timestamp: Date;
  lastTimestamp?: Date;
  externalId?: string;
  timezone: string;
  upcoming: Date[];
}

/** An environment of its own whose deployments have scheduled tasks. */
class Clock extends Scene {
  #version = 0;
  promoted: PromotedDeployment | undefined;

  get schedules(): EnvironmentSchedulesRpc {
    return this.environmentStub;
  }

  async deployTasks(
    tasks: (Partial<TaskManifest> & { id: string })[],
    type: EnvironmentRef["type"] = "PRODUCTION",
  ): Promise<this> {
    this.ref.environment.type = type;
    this.promoted = {
      deployment: {
        id: `deployment_${++this.#version}`,
        version: `20270101.${this.#version}`,
        contentHash: "0".repeat(64),
      },
      manifest: {
        tasks: tasks.map((task) => ({
          filePath: `${task.id}.ts`,
          triggerSource: "schedule" as const,
          ...task,
        })),
        queues: [{ name: "shared", concurrencyLimit: 7 }],
        runtime: "node",
        sdkVersion: "0.1.0",
      },
    };
    await this.environment.promoteDeployment(this.ref.environment, this.promoted);
    return this;
  }

  async create(key: string, more: Record<string, unknown> = {}): Promise<ScheduleRecord> {
    const created = await this.schedules.createSchedule(this.ref.environment, {
      task: "clock",
      cron: YEARLY,
      deduplicationKey: key,
      ...more,
    });
    if ("error" in created) throw new Error(created.message);
    return created;
  }

  async all(): Promise<ScheduleRecord[]> {
    return (await this.schedules.listSchedules(1, 100)).schedules;
  }

  async one(ref: string): Promise<ScheduleRecord> {
    const found = await this.schedules.retrieveSchedule(ref);
    if (!found) throw new Error(`Schedule ${ref} is not there`);
    return found;
  }

  /** As if time had passed: the run for this tick is due since then. */
  setDue(tick: number, where = "1"): Promise<void> {
    return runInDurableObject(this.environmentStub, (_, state) => {
      state.storage.sql.exec(
        `UPDATE schedules SET next_tick = ?, due_at = ? WHERE due_at IS NOT NULL AND ${where}`,
        tick,
        tick,
      );
    });
  }

  async fire(): Promise<void> {
    await runDurableObjectAlarm(this.environmentStub);
  }

  /** Does the first half of `fire`: the tick is taken, its run is not created yet. */
  pick(now: number): Promise<Firing | undefined> {
    const { environment } = this.ref;
    const deployed = {
      ...indexed((this.promoted as PromotedDeployment).manifest),
      retry: undefined,
      partitionsOf: () => 1,
    };
    return runInDurableObject(this.environmentStub, (_, state) => {
      const sql = objectSql(state.storage);
      sql.transaction(() => pickDue(sql, { environment, deployed, unserved: false, now }, 10));
      return firingsAfter(sql, 0, 10)[0];
    });
  }

  firings(): Promise<number> {
    return runInDurableObject(
      this.environmentStub,
      (_, state) => [...state.storage.sql.exec("SELECT seq FROM firings")].length,
    );
  }
}

const payloadOf = (run: DequeuedRun): Payload => {
  expect(run.payloadType).toBe("application/super+json");
  return deserialize(JSON.parse(run.payload as string));
};

const lastMinute = (): number => Math.floor(Date.now() / MINUTE) * MINUTE;

/** Returns the ticks of YEARLY after an instant, in a zone with this offset from UTC in hours. */
const newYears = (after: number, count: number, hours = 0): number[] => {
  const year = new Date(after + hours * HOUR).getUTCFullYear() + 1;
  return Array.from({ length: count }, (_, n) => Date.UTC(year + n, 0, 1) - hours * HOUR);
};

const errorOf = (answer: object | ScheduleError) => ("error" in answer ? answer.error : undefined);

describe("declared schedules", () => {
  it("are those of the current deployment", async () => {
    const clock = await new Clock().deployTasks([
      { id: "a", schedule: DAILY },
      { id: "b", schedule: { cron: "*/5 * * * *", timezone: "UTC", window: "50%" } },
      { id: "c" },
      { id: "d", schedule: { ...DAILY, environments: ["STAGING", "DEVELOPMENT"] } },
      { id: "e", schedule: { ...DAILY, environments: ["PRODUCTION"] } },
    ]);
    const before = await clock.all();
    expect(
      before.map(({ task, type, cron, timezone, window, active, deduplicationKey }) => ({
        task,
        type,
        cron,
        timezone,
        window,
        active,
        deduplicationKey,
      })),
    ).toEqual([
      { task: "e", type: "DECLARATIVE", ...DAILY, window: null, active: true, deduplicationKey: null },
      {
        task: "b",
        type: "DECLARATIVE",
        cron: "*/5 * * * *",
        timezone: "UTC",
        window: "50%",
        active: true,
        deduplicationKey: null,
      },
      { task: "a", type: "DECLARATIVE", ...DAILY, window: null, active: true, deduplicationKey: null },
    ]);
    const [, , a] = before;

    // Unchanged ones are kept, others change, others are removed.
    await clock.deployTasks([
      { id: "a", schedule: DAILY },
      { id: "e", schedule: { ...DAILY, cron: "0 4 * * *" } },
    ]);
    const after = await clock.all();
    expect(after.map(({ id, cron }) => ({ id, cron }))).toEqual([
      { id: before[0]?.id, cron: "0 4 * * *" },
      { id: a?.id, cron: DAILY.cron },
    ]);
    expect(after[1]).toEqual(a);
    expect(after[0]?.nextTick).not.toBe(before[0]?.nextTick);

    // A rollback brings back what was there.
    await clock.deployTasks([{ id: "b", schedule: DAILY }]);
    expect((await clock.all()).map(({ task }) => task)).toEqual(["b"]);
  });

  it("are neither changed nor deleted through the API, but deactivated, also over deployments", async () => {
    const clock = await new Clock().deployTasks([{ id: "a", schedule: DAILY }]);
    const [{ id }] = (await clock.all()) as [ScheduleRecord];
    const body = { task: "a", cron: "0 0 * * *" };
    expect(errorOf(await clock.schedules.updateSchedule(id, body))).toBe("declarative_schedule");
    expect(errorOf(await clock.schedules.deleteSchedule(id))).toBe("declarative_schedule");
    expect(await clock.schedules.setScheduleActive(id, false)).toMatchObject({
      active: false,
      nextTick: null,
      dueAt: null,
    });
    await clock.deployTasks([{ id: "a", schedule: { ...DAILY, cron: "0 5 * * *" } }]);
    expect(await clock.one(id)).toMatchObject({ active: false, nextTick: null, cron: "0 5 * * *" });
    expect(await clock.schedules.setScheduleActive(id, true)).toMatchObject({
      active: true,
      nextTick: expect.any(Number),
    });
  });
});

describe("created schedules", () => {
  it("are one for one deduplication key, whose content is replaced", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }, { id: "other" }]);
    const first = await clock.create("user-1", { externalId: "1", timezone: "Asia/Tokyo", window: "10m" });
    expect(first).toMatchObject({
      type: "IMPERATIVE",
      deduplicationKey: "user-1",
      externalId: "1",
      active: true,
    });
    const second = await clock.create("user-1", { task: "other", cron: "0 0 1 1 *" });
    expect(second).toEqual({
      ...first,
      task: "other",
      cron: "0 0 1 1 *",
      timezone: "UTC",
      window: null,
      externalId: null,
      nextTick: expect.any(Number),
      dueAt: second.nextTick,
    });
    await clock.create("user-2");
    expect((await clock.schedules.listSchedules(1, 1)).schedules.map((one) => one.deduplicationKey)).toEqual([
      "user-2",
    ]);
    expect(await clock.schedules.listSchedules(2, 1)).toMatchObject({
      count: 2,
      schedules: [{ id: first.id }],
    });
    // Also found by its key.
    expect(await clock.one("user-1")).toEqual(second);
    expect(await clock.schedules.deleteSchedule("user-1")).toEqual({ id: first.id });
    expect(await clock.schedules.retrieveSchedule(first.id)).toBeNull();
    expect(await clock.schedules.listSchedules(1, 10)).toMatchObject({ count: 1 });
  });

  it("are refused if something is wrong, and nothing is changed", async () => {
    const clock = new Clock();
    const create = (body: Record<string, unknown>) =>
      clock.schedules.createSchedule(clock.ref.environment, {
        task: "clock",
        cron: "* * * * *",
        deduplicationKey: "x",
        ...body,
      });
    expect(errorOf(await create({}))).toBe("task_not_found");
    await clock.deployTasks([{ id: "clock" }, { id: "plain", triggerSource: undefined }]);
    expect(errorOf(await create({ task: "nope" }))).toBe("task_not_found");
    expect(errorOf(await create({ task: "plain" }))).toBe("task_not_scheduled");
    expect(errorOf(await create({ cron: "61 * * * *" }))).toBe("invalid_cron");
    expect(errorOf(await create({ timezone: "Mars/Olympus" }))).toBe("invalid_timezone");
    expect(await clock.all()).toEqual([]);
    const kept = await clock.create("x");
    expect(errorOf(await create({ cron: "nope" }))).toBe("invalid_cron");
    expect(errorOf(await clock.schedules.updateSchedule(kept.id, { task: "nope", cron: "* * * * *" }))).toBe(
      "task_not_found",
    );
    expect(await clock.one("x")).toEqual(kept);
    for (const answer of [
      await clock.schedules.updateSchedule("sched_nope", { task: "clock", cron: "* * * * *" }),
      await clock.schedules.setScheduleActive("sched_nope", true),
      await clock.schedules.deleteSchedule("sched_nope"),
    ]) {
      expect(errorOf(answer)).toBe("schedule_not_found");
    }
  });
});

describe("a tick", () => {
  it("makes one run, with its times as dates, in the task's queue", async () => {
    const clock = await new Clock().deployTasks([
      { id: "clock", queue: { name: "shared" }, ttlMs: 600_000, machine: "micro", maxDuration: 60 },
    ]);
    const { id } = await clock.create("user-1", { externalId: "user 1", timezone: "Asia/Tokyo" });
    const tick = lastMinute();
    await clock.setDue(tick);
    await clock.fire();
    const [run, ...more] = await clock.pollAll();
    expect(more).toEqual([]);
    expect(run).toMatchObject({ taskId: "clock", queue: "shared", machine: "micro" });
    expect(payloadOf(run as DequeuedRun)).toEqual({
      scheduleId: id,
      type: "IMPERATIVE",
      timestamp: new Date(tick),
      externalId: "user 1",
      timezone: "Asia/Tokyo",
      upcoming: newYears(tick, 5, 9).map((time) => new Date(time)),
    });
    const queue = bindings.QUEUE.getByName(queueKeyOf(clock.key, "shared"));
    expect(await queue.retrieveRun(clock.key, (run as DequeuedRun).runId)).toMatchObject({
      scheduleId: id,
      idempotencyKey: `${id}:${new Date(tick).toISOString()}`,
      ttlMs: 600_000,
      maxDuration: 60,
    });
    expect(await queue.queueStats(clock.key)).toMatchObject({ settings: { concurrencyLimit: 7 } });
    expect(await clock.one(id)).toMatchObject({ lastTick: tick, nextTick: newYears(tick, 1, 9)[0] });
    // Nothing is due any more.
    await clock.fire();
    expect(await clock.pollAll()).toEqual([]);

    await clock.setDue(tick + 1);
    await clock.fire();
    const [second] = await clock.pollAll();
    expect(payloadOf(second as DequeuedRun)).toMatchObject({
      timestamp: new Date(tick + 1),
      lastTimestamp: new Date(tick),
    });
  });

  it("fires by the object's own alarm, on time", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    await clock.create("x");
    const due = Date.now() + 300;
    await clock.setDue(due);
    await runInDurableObject(clock.environmentStub, (_, state) => state.storage.setAlarm(due));
    const [run] = await until(async () => {
      const { runs } = await clock.poll({ waitMs: 200 });
      return runs.length > 0 && runs;
    });
    expect((run as DequeuedRun).createdAt).toBeGreaterThanOrEqual(due);
    // And the next one is set.
    const alarm = await runInDurableObject(clock.environmentStub, (_, state) => state.storage.getAlarm());
    expect(alarm).toBeLessThanOrEqual((await clock.one("x")).dueAt as number);
  });

  it("that was missed with many others is caught up once, as the last of them", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    const { id } = await clock.create("x", { cron: "0 * * * *" });
    const before = Math.floor(Date.now() / HOUR) * HOUR;
    await clock.setDue(before - 50 * 24 * HOUR);
    await clock.fire();
    const runs = await clock.pollAll();
    expect(runs).toHaveLength(1);
    const { timestamp } = payloadOf(runs[0] as DequeuedRun);
    expect([before, before + HOUR]).toContain(timestamp.getTime());
    expect(await clock.one(id)).toMatchObject({
      lastTick: timestamp.getTime(),
      nextTick: timestamp.getTime() + HOUR,
    });
  });

  it("gives one run also when the object dies between its creation and the record of it", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    const { id } = await clock.create("x");
    const tick = lastMinute();
    await clock.setDue(tick);
    // The tick was taken and its run created, but the object died before it received the answer.
    const firing = await clock.pick(Date.now());
    if (!firing) throw new Error("Nothing was picked");
    const queueOf = (key: string) => bindings.QUEUE.getByName(key);
    await enqueueRuns(queueOf, {
      target:
        clock.ref.queue === "task/clock"
          ? clock.ref
          : { ...clock.ref, queue: "task/clock", queueKey: queueKeyOf(clock.key, "task/clock") },
      declaration: {},
      items: [itemOf(firing)],
    });
    await evictDurableObject(clock.environmentStub);
    expect(await clock.one(id)).toMatchObject({ lastTick: null, nextTick: tick });
    await clock.fire();
    expect(await clock.one(id)).toMatchObject({ lastTick: tick, nextTick: newYears(tick, 1)[0] });
    expect(await clock.firings()).toBe(0);
    const runs = await clock.pollAll();
    expect(runs.map(({ runId }) => runId)).toEqual([itemOf(firing).runId]);
  });

  it("that is in progress is kept if its schedule is changed meanwhile; the new times apply from there", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    const { id, nextTick: tick } = (await clock.create("x")) as ScheduleRecord & { nextTick: number };
    await clock.pick(tick);
    // By this clock the tick is still to come: deactivated and activated, it doesn't come again.
    await clock.schedules.setScheduleActive(id, false);
    expect(await clock.schedules.setScheduleActive(id, true)).toMatchObject({
      nextTick: newYears(tick, 1)[0],
    });
    const { nextTick } = (await clock.schedules.updateSchedule(id, {
      task: "clock",
      cron: "30 12 * * *",
    })) as ScheduleRecord;
    await clock.fire();
    expect(await clock.one(id)).toMatchObject({ lastTick: tick, nextTick, cron: "30 12 * * *" });
    expect(await clock.pollAll()).toHaveLength(1);
  });

  it("of a schedule that is not active, or was deleted, never comes", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    await clock.create("off");
    await clock.create("gone");
    await clock.setDue(lastMinute());
    await clock.schedules.setScheduleActive("off", false);
    await clock.schedules.deleteSchedule("gone");
    await clock.fire();
    expect(await clock.pollAll()).toEqual([]);
  });

  it("passes without a run if its task no longer exists, or in a development environment without a machine", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    const { id } = await clock.create("x");
    await clock.deployTasks([{ id: "another" }]);
    const tick = lastMinute();
    await clock.setDue(tick);
    await clock.fire();
    expect(await clock.one(id)).toMatchObject({ lastTick: null, nextTick: newYears(tick, 1)[0] });
    await clock.deployTasks([{ id: "clock" }]);
    await clock.setDue(tick);
    await clock.fire();
    expect(await clock.one(id)).toMatchObject({ lastTick: tick });

    const dev = await new Clock().deployTasks(
      [{ id: "clock", schedule: { cron: YEARLY, timezone: "UTC" } }],
      "DEVELOPMENT",
    );
    await dev.setDue(tick);
    await dev.fire();
    expect((await dev.all())[0]).toMatchObject({ lastTick: null, nextTick: newYears(tick, 1)[0] });
    expect(await dev.firings()).toBe(0);

    // A developer's machine is connected.
    const pool = bindings.DISPATCHER.getByName(poolOf(dev.ref.environment));
    await pool.hostSeen("dev.machine", "session", false);
    await dev.setDue(tick);
    await dev.fire();
    expect((await dev.all())[0]).toMatchObject({ lastTick: tick });
  });

  it("passes without a run where the queue is full; the next one is tried again", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    await clock.environment.updateEnvironment(clock.ref.environment, { queueSizeLimit: 1 });
    await clock.create("first");
    await clock.create("second");
    const tick = lastMinute();
    await clock.setDue(tick);
    await clock.fire();
    const next = newYears(tick, 1)[0];
    expect(await clock.one("first")).toMatchObject({ lastTick: tick, nextTick: next });
    expect(await clock.one("second")).toMatchObject({ lastTick: null, nextTick: next });
    expect(await clock.firings()).toBe(0);
    expect(await clock.pollAll()).toHaveLength(1);
    await clock.setDue(tick + 1);
    await clock.fire();
    const { length } = (await clock.all()).filter(({ lastTick }) => lastTick === tick + 1);
    expect(length).toBe(1);
  });

  it("of a schedule with a window is due at the schedule's own place in it", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    const { nextTick, dueAt } = await clock.create("x", { cron: "0 * * * *", window: "30m" });
    const offset = Math.floor(phaseOf(clock.key, "IMPERATIVE\nx") * 30 * MINUTE);
    expect((dueAt as number) - (nextTick as number)).toBe(offset);
    expect(offset).toBeLessThan(30 * MINUTE);
    // A run for an hour that has passed, but not its place in the window, is not due.
    const hour = Math.floor(Date.now() / HOUR) * HOUR;
    await runInDurableObject(clock.environmentStub, (_, state) => {
      state.storage.sql.exec(
        "UPDATE schedules SET next_tick = ?, due_at = ?",
        hour - 5 * HOUR,
        hour - 5 * HOUR + offset,
      );
    });
    await clock.fire();
    const [run] = await clock.pollAll();
    const expected = hour + offset <= Date.now() ? hour : hour - HOUR;
    expect(payloadOf(run as DequeuedRun).timestamp).toEqual(new Date(expected));
  });

  it("of 1,200 schedules in three queues: each has its run, from one alarm", async () => {
    const clock = await new Clock().deployTasks([
      { id: "clock" },
      { id: "two", queue: { name: "shared" } },
      { id: "three" },
    ]);
    const tasks = ["clock", "two", "three"];
    for (let n = 0; n < 1_200; n += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, m) => clock.create(`s${n + m}`, { task: tasks[(n + m) % 3] })),
      );
    }
    const tick = lastMinute();
    await clock.setDue(tick);
    await clock.fire();
    const stats = await Promise.all(
      ["task/clock", "shared", "task/three"].map((queue) =>
        bindings.QUEUE.getByName(queueKeyOf(clock.key, queue)).queueStats(clock.key),
      ),
    );
    expect(stats.map((one) => (one?.pending ?? 0) + (one?.running ?? 0))).toEqual([400, 400, 400]);
    expect(await clock.firings()).toBe(0);
    const waiting = await runInDurableObject(clock.environmentStub, (_, state) => [
      ...state.storage.sql.exec(
        "SELECT seq FROM schedules WHERE last_tick IS NOT ? OR next_tick IS NOT ?",
        tick,
        newYears(tick, 1)[0] as number,
      ),
    ]);
    expect(waiting).toEqual([]);
  });
});

describe("picking", () => {
  it("seeks what is due in an index, however many schedules there are", async () => {
    const clock = await new Clock().deployTasks([{ id: "clock" }]);
    const plans = await runInDurableObject(clock.environmentStub, (_, state) =>
      [
        "SELECT * FROM schedules WHERE due_at <= 1 ORDER BY due_at LIMIT 500",
        "SELECT min(due_at) AS at FROM schedules WHERE due_at IS NOT NULL",
        "SELECT * FROM firings WHERE seq > 0 ORDER BY seq LIMIT 500",
        "SELECT * FROM schedules WHERE type = 'IMPERATIVE' AND deduplication_key = 'x'",
        "SELECT max(tick) AS tick FROM firings WHERE schedule = 1",
      ].flatMap((query) =>
        [...state.storage.sql.exec<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`)].map(
          ({ detail }) => detail,
        ),
      ),
    );
    expect(plans).toHaveLength(5);
    for (const plan of plans)
      expect(plan).toMatch(/^SEARCH \w+ USING (INDEX|COVERING INDEX|INTEGER PRIMARY KEY)/);
  });
});
