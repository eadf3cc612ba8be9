import { type EnvironmentResponse, ListQueuesResponse, QueueItem } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { ADMIN_TOKEN, type Answer, call, deploy, newProject, type Project } from "./client.ts";
import { dequeue, finish } from "./host.ts";

let project: Project;
let other: Project;

beforeAll(async () => {
  [project, other] = await Promise.all([newProject(), newProject()]);
  await deploy(
    project,
    ["hello"],
    [
      { name: "shared", concurrencyLimit: 3, rateLimit: { limit: 10, period: "1m", burst: 2 } },
      { name: "never-used" },
    ],
  );
});

const get = (path: string, key = project.prod) => call<QueueItem>("GET", `/api/v1/queues/${path}`, key);
const post = (path: string, body: object, key = project.prod) =>
  call<QueueItem & { code?: string; error?: string }>("POST", `/api/v1/queues/${path}`, key, body);
const trigger = async (options: object = {}): Promise<string> => {
  const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {
    options,
  });
  return body.id;
};
const statusOf = async (runId: string) =>
  (await call<{ status: string }>("GET", `/api/v3/runs/${runId}`, project.prod)).body.status;

describe("queues", () => {
  it("are listed page by page, including those that are only declared", async () => {
    const { body } = await call<ListQueues>("GET", "/api/v1/queues?perPage=2", project.prod);
    expect(ListQueuesResponse.safeParse(body).success).toBe(true);
    expect(body.data.map(({ name, type }) => [name, type])).toEqual([
      ["never-used", "custom"],
      ["shared", "custom"],
    ]);
    expect(body.pagination).toEqual({ currentPage: 1, totalPages: 2, count: 3 });
    const second = await call<ListQueues>("GET", "/api/v1/queues?perPage=2&page=2", project.prod);
    expect(second.body.data.map(({ name, type }) => [name, type])).toEqual([["hello", "task"]]);
    expect((await call("GET", "/api/v1/queues?perPage=101", project.prod)).status).toBe(400);
  });

  it("are found by id, and by type and name, also with a slash that was encoded twice", async () => {
    const byName = await get("hello?type=task");
    expect(QueueItem.safeParse(byName.body).success).toBe(true);
    expect((await get(byName.body.id)).body).toEqual(byName.body);
    // As a run's `ctx.queue` and the lists of runs name it, and with its prefix.
    for (const path of ["task%252Fhello?type=custom", "task%252Fhello?type=task", "task%2Fhello?type=task"]) {
      expect((await get(path)).body.id).toBe(byName.body.id);
    }
    expect((await get("shared?type=task")).status).toBe(404);
    expect((await get("shared?type=custom")).body).toMatchObject({
      concurrencyLimit: 3,
      concurrency: { current: 3, base: 3, override: null },
      rateLimit: { current: { limit: 10, period: 60_000, burst: 2 }, override: null },
      paused: false,
    });
  });

  it("that do not exist or are another environment's get a 404 that changes nothing", async () => {
    expect((await get("nope?type=custom")).status).toBe(404);
    expect((await get("queue_nope")).status).toBe(404);
    const { id } = (await get("hello?type=task")).body;
    const stranger = await post(`${id}/pause`, { action: "pause" }, other.prod);
    expect([stranger.status, stranger.body.code]).toEqual([404, "queue_not_found"]);
    expect((await get(id)).body.paused).toBe(false);
  });

  it("explain an invalid change", async () => {
    for (const [path, body] of [
      ["shared/pause", { type: "custom", action: "stop" }],
      ["shared/concurrency/override", { type: "custom" }],
      ["shared/concurrency/override", { type: "custom", concurrencyLimit: -1 }],
      ["shared/rate-limit/override", { type: "custom", rateLimit: { limit: 1, period: "soon" } }],
      ["shared/rate-limit/override", { type: "custom", rateLimit: { limit: 1, period: 50 } }],
    ] as const) {
      const answer = await post(path, body);
      expect([path, answer.status, answer.body.code]).toEqual([path, 400, "invalid_request"]);
    }
  });

  it("keep runs queued while they are paused", async () => {
    expect((await post("hello/pause", { type: "task", action: "pause" })).body.paused).toBe(true);
    const runId = await trigger();
    expect((await get("hello?type=task")).body).toMatchObject({ paused: true, queued: 1, running: 0 });
    expect(await statusOf(runId)).toBe("QUEUED");
    await post("hello/pause", { type: "task", action: "resume" });
    await finish(runId);
    expect(await statusOf(runId)).toBe("COMPLETED");
  });

  it("have an override until it is reset, through triggers and deployments", async () => {
    const path = "shared/concurrency";
    const set = await post(`${path}/override`, { type: "custom", concurrencyLimit: 7 });
    expect(set.body).toMatchObject({
      concurrencyLimit: 7,
      concurrency: { current: 7, base: 3, override: 7, overriddenAt: expect.any(String) },
    });
    await trigger({ queue: { name: "shared" }, delay: "1h" });
    await deploy(project, ["hello"], [{ name: "shared", concurrencyLimit: 5 }, { name: "never-used" }]);
    const limit = await until(async () => {
      const { concurrency } = (await get("shared?type=custom")).body;
      return concurrency.base === 5 && concurrency;
    });
    expect(limit).toMatchObject({ current: 7, base: 5, override: 7 });
    const reset = await post(`${path}/reset`, { type: "custom" });
    expect(reset.body.concurrency).toMatchObject({ current: 5, base: 5, override: null });
  });

  it("have rate limits that are set and removed by the API", async () => {
    const path = "never-used/rate-limit";
    const limit = { limit: 1, period: "1h" };
    const set = await post(`${path}/override`, { type: "custom", rateLimit: limit, rateLimitPerKey: limit });
    expect(set.body.rateLimit).toMatchObject({ base: null, current: { limit: 1, period: 3_600_000 } });
    const [first, second] = [
      await trigger({ queue: { name: "never-used" } }),
      await trigger({ queue: { name: "never-used" } }),
    ];
    await finish(first);
    expect((await get("never-used?type=custom")).body).toMatchObject({ queued: 1, running: 0 });
    await post(`${path}/reset`, { type: "custom" });
    await finish(second);
  });

  it("that are full refuse a trigger with a remedy", async () => {
    const admin = (body: object) =>
      call("PUT", `/admin/v1/projects/${project.ref}/prod/settings`, ADMIN_TOKEN, body);
    await admin({ queueSizeLimit: 1 });
    // A deployment makes this isolate load the environment again.
    await deploy(project, ["hello"]);
    await trigger({ queue: { name: "small" }, delay: "1h" });
    const refused = await call("POST", "/api/v1/tasks/hello/trigger", project.prod, {
      options: { queue: { name: "small" } },
    });
    expect([refused.status, refused.body.code]).toEqual([429, "queue_full"]);
    expect(refused.body.error).toContain('Queue "small" is full: it holds 1 runs');
    await admin({ queueSizeLimit: null });
    await deploy(project, ["hello"]);
  });
});

type ListQueues = { data: QueueItem[]; pagination: object };

describe("debounced triggers", () => {
  it("return one run, until it starts", async () => {
    const debounce = { key: "user", delay: "1h", mode: "trailing" };
    const send = (payload: string, options: object = {}) =>
      call<{ id: string; isCached: boolean }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {
        payload,
        options: { debounce, ...options },
      });
    const first = await send("first");
    const second = await send("second", { queue: { name: "shared" } });
    expect(second.body).toEqual({ id: first.body.id, isCached: true });
    const { body } = await call("GET", `/api/v3/runs/${first.body.id}`, project.prod);
    expect(body).toMatchObject({ status: "DELAYED", payload: "second" });
    const bad = await send("third", { debounce: { key: "user", delay: "2026-01-01" } });
    expect([bad.status, (bad.body as { code?: string }).code]).toEqual([400, "invalid_request"]);
  });
});

describe("an environment", () => {
  const path = () => `/api/v1/projects/${project.ref}/prod`;
  const own = (method: string, end = ""): Promise<Answer<EnvironmentResponse>> =>
    call(method, path() + end, project.accessToken);

  it("is paused and resumed by its developers", async () => {
    expect((await own("POST", "/pause")).body.paused).toBe(true);
    const runId = await trigger();
    expect(await statusOf(runId)).toBe("QUEUED");
    expect((await own("GET")).body).toMatchObject({ slug: "prod", paused: true, concurrencyLimit: 100 });
    expect((await own("POST", "/resume")).body.paused).toBe(false);
    expect((await dequeue(runId)).runId).toBe(runId);
  });

  it("can't be paused by another organization", async () => {
    expect((await call("POST", `${path()}/pause`, other.accessToken)).status).toBe(404);
    expect((await call("POST", `${path()}/pause`, project.prod)).status).toBe(401);
  });

  it("has limits and a share that the administrator sets", async () => {
    const settings = `/admin/v1/projects/${project.ref}/prod/settings`;
    const changes = { concurrencyLimit: 50, burstFactor: 2, weight: 3 };
    expect((await call("PUT", settings, ADMIN_TOKEN, changes)).body).toMatchObject(changes);
    expect((await own("GET")).body).toMatchObject({ ...changes, queueSizeLimit: null });
    expect((await call("PUT", settings, ADMIN_TOKEN, { weight: 0 })).status).toBe(400);
    expect((await call("PUT", settings, ADMIN_TOKEN, { wieght: 1 })).status).toBe(400);
    expect((await call("PUT", settings, project.accessToken, changes)).status).toBe(401);
    const nowhere = "/admin/v1/projects/proj_nowhere/prod/settings";
    expect((await call("PUT", nowhere, ADMIN_TOKEN, changes)).status).toBe(404);
  });

  it("has the share of its organization, once that is set", async () => {
    const slug = project.ref.slice("proj_".length);
    const set = await call("PUT", `/admin/v1/organizations/${slug}/limits`, ADMIN_TOKEN, { weight: 2 });
    expect(set.body).toEqual({
      weight: 2,
      concurrencyCeiling: null,
      environments: [`${project.ref}/dev`, `${project.ref}/prod`],
      lowered: [],
    });
    expect((await own("GET")).body.weight).toBe(2);
    const nobody = await call("PUT", "/admin/v1/organizations/nobody/limits", ADMIN_TOKEN, { weight: 2 });
    expect([nobody.status, nobody.body.code]).toEqual([404, "organization_not_found"]);
  });
});

describe("triggers", () => {
  it("of the development environment expire after ten minutes unless they say otherwise", async () => {
    const send = (options: object) =>
      call<{ id: string }>("POST", "/api/v1/tasks/anything/trigger", project.dev, { options });
    const ttlOf = async (options: object) => {
      const { id } = (await send(options)).body;
      return (await call<{ ttl?: string }>("GET", `/api/v3/runs/${id}`, project.dev)).body.ttl;
    };
    expect(await ttlOf({})).toBe("600s");
    expect(await ttlOf({ ttl: "1h" })).toBe("3600s");
    expect(await ttlOf({ ttl: 0 })).toBeUndefined();
  });
});
