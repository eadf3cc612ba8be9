import type { ConcurrencyLimitItem, ConcurrencyLimitKeyItem, WhyResponse } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { call, deployTasks, newProject, type Project } from "./client.ts";
import { finish, start } from "./host.ts";

const PATH = "/api/v1/concurrency-limits";
type Refused = { code: string; error: string };

let project: Project;
beforeAll(async () => {
  project = await newProject();
  const tasks = [
    { id: "summarize", limits: ["openai"] },
    { id: "translate", limits: ["openai"] },
    { id: "plain" },
  ];
  const limits = [
    { name: "openai", total: 1 },
    { name: "paid", perKey: 2, total: 8 },
  ];
  expect((await deployTasks(project, tasks, [], limits)).status).toBe(201);
});

const get = <T = ConcurrencyLimitItem>(path = "", key = project.prod) =>
  call<T & Refused>("GET", `${PATH}${path}`, key);
const post = <T = ConcurrencyLimitItem>(path: string, body: object, key = project.prod) =>
  call<T & Refused>("POST", `${PATH}/${path}`, key, body);
const trigger = async (task: string, options: object = {}) =>
  call<{ id: string } & Refused>("POST", `/api/v1/tasks/${task}/trigger`, project.prod, { options });

describe("concurrency limits with names", () => {
  it("are listed and retrieved", async () => {
    const { body } = await get<{ data: ConcurrencyLimitItem[]; pagination: object }>("?perPage=1");
    expect(body.data.map(({ name }) => name)).toEqual(["openai"]);
    expect(body.pagination).toEqual({ currentPage: 1, totalPages: 2, count: 2 });
    expect((await get("/paid")).body).toEqual({
      id: "climit_paid",
      name: "paid",
      perKey: { current: 2, base: 2, override: null, overriddenAt: null },
      total: { current: 8, base: 8, override: null, overriddenAt: null },
      running: 0,
      queued: 0,
      paused: false,
    });
    expect(await get("/none")).toMatchObject({ status: 404, body: { code: "concurrency_limit_not_found" } });
    expect((await get("/paid", project.dev)).status).toBe(404);
  });

  it("are overridden, paused and reset, a key too", async () => {
    expect((await post("paid/override", { total: 3 })).body.total).toMatchObject({
      current: 3,
      base: 8,
      override: 3,
    });
    expect((await post("paid/pause", { action: "pause" })).body.paused).toBe(true);
    const key = await post<ConcurrencyLimitKeyItem>("paid/override", {
      concurrencyKey: 7,
      perKey: 1,
      ttl: "1h",
    });
    expect(key.body).toMatchObject({
      name: "paid",
      concurrencyKey: "7",
      perKey: { current: 1, base: 2, override: 1, expiresAt: expect.any(String) },
      paused: true,
    });
    expect((await get("/paid?concurrencyKey=8")).body).toMatchObject({
      perKey: { current: 2, override: null },
    });
    const reset = await post<ConcurrencyLimitKeyItem>("paid/reset", { concurrencyKey: "7" });
    expect(reset.body.perKey).toEqual({ current: 2, base: 2, override: null, expiresAt: null });
    expect((await post("paid/reset", {})).body).toMatchObject({
      total: { current: 8, override: null },
      paused: true,
    });
    expect((await post("paid/pause", { action: "resume" })).body.paused).toBe(false);
    for (const body of [
      {},
      { total: -1 },
      { ttl: "1h", total: 1 },
      { concurrencyKey: "a", total: 1 },
      { concurrencyKey: "a", perKey: 1, ttl: "31d" },
    ])
      expect((await post("paid/override", body)).status, JSON.stringify(body)).toBe(400);
  });

  it("apply over tasks, and a waiting run says for which limit it waits", async () => {
    const first = (await trigger("summarize")).body.id;
    await start(first);
    const second = (await trigger("translate")).body.id;
    const blocked = await vi.waitFor(
      async () => {
        const { body } = await call<WhyResponse>("GET", `/api/v1/runs/${second}/why`, project.prod);
        expect(body.reason).toBe("shared_limit");
        return body;
      },
      { timeout: 20_000 },
    );
    expect(blocked).toMatchObject({
      message: "Waits for a slot: concurrency limit openai uses its only slot; first in line.",
      running: 1,
      limit: 1,
    });
    expect((await get("/openai")).body).toMatchObject({ running: 1, queued: 1 });
    const { status } = await call("POST", `/api/v2/runs/${first}/cancel`, project.prod, {});
    expect(status).toBe(200);
  });

  it("are named by a trigger, and a replay keeps them", async () => {
    await post("paid/pause", { action: "pause" });
    const { id } = (await trigger("plain", { concurrency: ["paid"] })).body;
    await vi.waitFor(async () => expect((await get("/paid")).body.queued).toBe(1), { timeout: 20_000 });
    const replay = await call<{ id: string }>("POST", `/api/v1/runs/${id}/replay`, project.prod, {});
    expect(replay.status).toBe(200);
    await vi.waitFor(async () => expect((await get("/paid")).body.queued).toBe(2), { timeout: 20_000 });
    await post("paid/pause", { action: "resume" });
    await finish(id);
    await finish(replay.body.id);
    expect(await trigger("plain", { concurrency: ["unknown"] })).toMatchObject({
      status: 404,
      body: { code: "concurrency_limit_not_found" },
    });
    for (const concurrency of [["a", "b", "c"], ["with space"], "paid"])
      expect((await trigger("plain", { concurrency })).status).toBe(400);
  });

  it("must be declared for a deployment whose tasks hold them", async () => {
    const refused = await deployTasks(project, [{ id: "a", limits: ["none"] }]);
    expect([refused.status, refused.body.code]).toEqual([422, "concurrency_limit_not_declared"]);
  });
});
