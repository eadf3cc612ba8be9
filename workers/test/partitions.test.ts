import { HOST_PROTOCOL, parseRunId } from "@acme/sdk/contract";
import type { QueueItem } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { call, callAsHost, deploy, deployTasks, newProject, type Project } from "./client.ts";
import { finish } from "./host.ts";

let project: Project;

beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["hello"], [{ name: "hot", partitions: 4 }, { name: "cold" }]);
});

const get = async (name: string) =>
  (await call<QueueItem>("GET", `/api/v1/queues/${name}?type=custom`, project.prod)).body;
const post = (path: string, body: object) =>
  call<QueueItem & { code?: string; error?: string }>("POST", `/api/v1/queues/${path}`, project.prod, {
    type: "custom",
    ...body,
  });

async function trigger(options: object = {}, headers: Record<string, string> = {}): Promise<string> {
  const body = { payload: "1", options: { queue: { name: "hot" }, ...options } };
  const answer = await call<{ id: string }>(
    "POST",
    "/api/v1/tasks/hello/trigger",
    project.prod,
    body,
    headers,
  );
  return answer.body.id;
}
const triggerMany = (count: number, options?: object) =>
  Promise.all(Array.from({ length: count }, () => trigger(options)));
/** Polls until a host gets no run. */
const untilPolled = async (): Promise<string> => {
  const body = { protocol: HOST_PROTOCOL, hostId: "host-2", sessionId: "session-2", max: 100, waitMs: 500 };
  await until(async () => (await callAsHost<{ runs: [] }>("dequeue", body)).body.runs.length === 0);
  return "polled";
};
const objectsOf = (runIds: string[]) => new Set(runIds.map((id) => parseRunId(id)?.queueKey));
const listed = async (query: string): Promise<string[]> => {
  const { body } = await call<{ data: { id: string }[] }>("GET", `/api/v1/runs?${query}`, project.prod);
  return body.data.map(({ id }) => id);
};

describe("a queue with partitions", () => {
  it("spreads its runs, and is listed as one queue", async () => {
    const runIds = await triggerMany(40, { tags: ["spread"] });
    expect(objectsOf(runIds).size).toBe(4);
    expect(await get("hot")).toMatchObject({ queued: 40, partitions: { current: 4, base: 4 } });
    await until(async () => {
      const found = await listed("filter[queue]=hot&filter[tag]=spread&page[size]=100");
      return runIds.every((id) => found.includes(id));
    });
    await Promise.all(runIds.map((runId) => finish(runId)));
    expect(await get("hot")).toMatchObject({ queued: 0, running: 0 });
  });

  it("keeps the runs of a concurrency key together", async () => {
    const runIds = await triggerMany(12, { concurrencyKey: "customer-1", delay: "1h" });
    expect(objectsOf(runIds).size).toBe(1);
    expect((await get("hot")).delayed).toBe(12);
    for (const runId of runIds) await call("POST", `/api/v2/runs/${runId}/cancel`, project.prod);
    expect((await get("hot")).delayed).toBe(0);
  });

  it("returns one run for a repeated call, an idempotency key and a debounce key", async () => {
    const again = Array.from({ length: 8 }, () =>
      trigger({ delay: "1h" }, { "x-trigger-request-idempotency-key": "sent-again" }),
    );
    expect(new Set(await Promise.all(again)).size).toBe(1);
    expect(new Set(await triggerMany(8, { delay: "1h", idempotencyKey: "only-one" })).size).toBe(1);
    expect(new Set(await triggerMany(8, { debounce: { key: "d", delay: "1h" } })).size).toBe(1);
    expect((await get("hot")).delayed).toBe(3);
  });

  it("accepts batches and replays", async () => {
    const items = Array.from({ length: 20 }, () => ({ payload: 1, options: { queue: { name: "hot" } } }));
    const path = "/api/v1/tasks/hello/batch";
    const { body } = await call<{ runs: string[] }>("POST", path, project.prod, { items });
    expect(objectsOf(body.runs).size).toBeGreaterThan(1);
    await Promise.all(body.runs.map((runId) => finish(runId)));
    const replayed = await call<{ id: string }>(
      "POST",
      `/api/v1/runs/${body.runs[0]}/replay`,
      project.prod,
      {},
    );
    await finish(replayed.body.id);
  });

  it("is paused and resumed as a whole, including partitions without runs", async () => {
    expect((await post("hot/pause", { action: "pause" })).body.paused).toBe(true);
    const runIds = await triggerMany(12);
    const finished = runIds.map((runId) => finish(runId));
    expect(await Promise.race([...finished, untilPolled()])).toBe("polled");
    expect(await get("hot")).toMatchObject({ paused: true, queued: 12, running: 0 });
    await post("hot/pause", { action: "resume" });
    await Promise.all(finished);
  });
});

describe("the number of partitions", () => {
  it("is changed through the API at once, and runs in other partitions are not forgotten", async () => {
    const before = await triggerMany(20, { delay: "1h", tags: ["before"] });
    const { delayed } = await get("hot");
    const lowered = await post("hot/partitions/override", { partitions: 1 });
    expect(lowered.body.partitions).toMatchObject({ current: 1, base: 4, override: 1 });
    expect(lowered.body.delayed).toBe(delayed);
    expect(objectsOf(await triggerMany(10, { delay: "1h" })).size).toBe(1);
    expect((await get("hot")).delayed).toBe(delayed + 10);
    const raised = await post("hot/partitions/override", { partitions: 8 });
    expect(raised.body.partitions.current).toBe(8);
    expect(objectsOf(await triggerMany(40, { delay: "1h" })).size).toBeGreaterThan(4);
    expect((await post("hot/partitions/reset", {})).body.partitions).toMatchObject({
      current: 4,
      override: null,
    });
    for (const runId of before)
      await call("POST", `/api/v1/runs/${runId}/reschedule`, project.prod, { delay: "1s" });
    await Promise.all(before.map((runId) => finish(runId)));
  });

  it("comes with a deployment", async () => {
    expect(objectsOf(await triggerMany(12, { queue: { name: "cold" }, delay: "1h" })).size).toBe(1);
    await deploy(
      project,
      ["hello"],
      [
        { name: "hot", partitions: 4 },
        { name: "cold", partitions: 3 },
      ],
    );
    expect(objectsOf(await triggerMany(30, { queue: { name: "cold" }, delay: "1h" })).size).toBe(3);
    expect(await get("cold")).toMatchObject({ delayed: 42 });
  });

  it.each([0, 65, 1.5, "4", null])("is refused as %j, and nothing is changed", async (partitions) => {
    const { status, body } = await post("hot/partitions/override", { partitions });
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.error).toContain("partitions");
    expect((await get("hot")).partitions).toMatchObject({ current: 4, override: null });
  });

  it("is refused in a deployment too", async () => {
    const queues = [{ name: "hot", partitions: 65 }];
    const { status, body } = await deployTasks(project, [{ id: "hello" }], queues);
    expect(status).toBe(400);
    expect(body.error).toContain("manifest.queues.0.partitions: partitions can be at most 64");
  });
});
