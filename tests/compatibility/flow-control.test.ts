import { concurrencyLimits, configure, idempotencyKeys, queues, runs, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { concurrencyLimit, queue, task } from "@trigger.dev/sdk";

export const slow = queue({ name: "slow", concurrencyLimit: 1 });
export const limited = queue({ name: "limited", rateLimit: { limit: 2, period: "1h", burst: 2 } });

export const echo = task({ id: "echo", run: async (payload: unknown, { ctx }) => ({ payload, ctx }) });
export const limitedTask = task({ id: "limited-task", queue: limited, run: async () => "done" });
export const slowTask = task({ id: "slow-task", queue: slow, run: async () => Date.now() });
const openai = concurrencyLimit({ name: "openai", total: 1 });
export const paid = concurrencyLimit({ name: "paid", perKey: 2, total: 8 });
const held = async () => {
  const startedAt = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 300));
  return { startedAt, endedAt: Date.now() };
};
export const summarize = task({ id: "summarize", queue: slow, concurrency: [{ perKey: 5 }, openai], run: held });
export const translate = task({ id: "translate", concurrency: "openai", run: held });
export const fails = task({
  id: "fails",
  retry: { maxAttempts: 5, minTimeoutInMs: 1, maxTimeoutInMs: 2 },
  run: async () => { throw new Error("as asked"); },
});
export const endless = task({ id: "endless", run: async () => { for (;;) await new Promise((r) => setTimeout(r, 50)); } });
`;

/** Queues, limits and trigger options through the published client of Trigger.dev. */
describe("flow control by @trigger.dev/sdk 4.8.3", () => {
  let server: LocalServer;

  beforeAll(async () => {
    server = await startLocalServer({ example: false });
    await deployTaskFile(server, TASKS);
    configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
  });
  afterAll(() => server?.stop());

  const ended = (id: string) => runs.poll(id, { pollIntervalMs: 50 });
  const statusOf = async (id: string) => (await runs.retrieve(id)).status;

  it("lists and retrieves queues, by id and by type and name", async () => {
    const names: string[] = [];
    for await (const queue of queues.list({ perPage: 2 })) names.push(`${queue.type} ${queue.name}`);
    expect(names).toEqual([
      "custom limited",
      "custom slow",
      "task echo",
      "task endless",
      "task fails",
      "task translate",
    ]);
    const byName = await queues.retrieve({ type: "custom", name: "slow" });
    expect(byName).toMatchObject({ concurrencyLimit: 1, paused: false, queued: 0, running: 0 });
    expect(await queues.retrieve(byName.id)).toEqual(byName);
    await expect(queues.retrieve("queue_nope")).rejects.toMatchObject({ status: 404 });
  });

  it("pauses and resumes a queue", async () => {
    const queue = { type: "task", name: "echo" } as const;
    expect((await queues.pause(queue)).paused).toBe(true);
    const { id } = await tasks.trigger("echo", {});
    await eventually("it is queued", async () => (await queues.retrieve(queue)).queued === 1);
    expect(await statusOf(id)).toBe("QUEUED");
    expect((await queues.resume(queue)).paused).toBe(false);
    expect((await ended(id)).status).toBe("COMPLETED");
  });

  it("overrides a concurrency limit, through a deployment, and resets it", async () => {
    const queue = { type: "custom", name: "slow" } as const;
    const set = await queues.overrideConcurrencyLimit(queue, 3);
    expect(set).toMatchObject({
      concurrencyLimit: 3,
      concurrency: { current: 3, base: 1, override: 3, overriddenAt: expect.any(Date) },
    });
    await deployTaskFile(server, TASKS.replace("concurrencyLimit: 1", "concurrencyLimit: 2"));
    await ended((await tasks.trigger("slow-task", {})).id);
    expect(await queues.retrieve(queue)).toMatchObject({ concurrency: { current: 3, base: 2, override: 3 } });
    const reset = await queues.resetConcurrencyLimit(queue);
    expect(reset).toMatchObject({ concurrencyLimit: 2, concurrency: { current: 2, override: null } });
  });

  it("shares a concurrency limit between tasks", async () => {
    const names: string[] = [];
    for await (const limit of concurrencyLimits.list({ perPage: 2 })) names.push(limit.name);
    expect(names).toEqual(["openai", "paid", "task/summarize"]);
    const ids: string[] = [];
    for (const task of ["summarize", "translate", "translate"]) ids.push((await tasks.trigger(task, {})).id);
    const spans = await Promise.all(
      ids.map(async (id) => (await ended(id)).output as { startedAt: number; endedAt: number }),
    );
    spans.sort((a, b) => a.startedAt - b.startedAt);
    for (const [index, span] of spans.slice(1).entries())
      expect(span.startedAt).toBeGreaterThanOrEqual(spans[index]?.endedAt ?? 0);
  });

  it("changes a concurrency limit that tasks share", async () => {
    const set = await concurrencyLimits.override("openai", { total: 3 });
    expect(set.total).toMatchObject({ current: 3, base: 1, override: 3, overriddenAt: expect.any(Date) });
    expect((await concurrencyLimits.reset("openai")).total).toMatchObject({ current: 1, override: null });
    const key = await concurrencyLimits.override("paid", { concurrencyKey: "a", perKey: 5, ttl: "1h" });
    expect(key.perKey).toMatchObject({ base: 2, override: 5, expiresAt: expect.any(Date) });
    expect(await concurrencyLimits.retrieve("paid", { concurrencyKey: "a" })).toEqual(key);
    expect((await concurrencyLimits.reset("paid", { concurrencyKey: "a" })).perKey.override).toBeNull();
    expect((await concurrencyLimits.pause("paid")).paused).toBe(true);
    const { id } = await tasks.trigger("echo", {}, { concurrency: "paid" });
    await eventually("it waits", async () => (await concurrencyLimits.retrieve("paid")).queued === 1);
    expect((await concurrencyLimits.resume("paid")).paused).toBe(false);
    expect((await ended(id)).status).toBe("COMPLETED");
    await expect(concurrencyLimits.retrieve("none")).rejects.toMatchObject({ status: 404 });
    await expect(tasks.trigger("echo", {}, { concurrency: "none" })).rejects.toMatchObject({ status: 404 });
  });

  it("delays runs beyond a rate limit, and drops none", async () => {
    const ids = await Promise.all(
      Array.from({ length: 4 }, async () => (await tasks.trigger("limited-task", {})).id),
    );
    const queue = { type: "custom", name: "limited" } as const;
    await eventually("two are done", async () => {
      const statuses = await Promise.all(ids.map(statusOf));
      return statuses.filter((status) => status === "COMPLETED").length === 2;
    });
    expect(await queues.retrieve(queue)).toMatchObject({ queued: 2, running: 0 });
    const { id } = await queues.retrieve(queue);
    const response = await fetch(`${server.apiUrl}/api/v1/queues/${id}/rate-limit/override`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.secretKey}`, "content-type": "application/json" },
      body: JSON.stringify({ rateLimit: { limit: 1_000, period: "1s" } }),
    });
    expect(response.status).toBe(200);
    for (const runId of ids) expect((await ended(runId)).status).toBe("COMPLETED");
  });

  it("debounces: leading keeps the first payload, trailing the last", async () => {
    for (const [mode, payload] of [
      ["leading", { n: 1 }],
      ["trailing", { n: 3 }],
    ] as const) {
      const debounce = { key: `user-${mode}`, delay: "1s", mode };
      const handles: { id: string }[] = [];
      for (const n of [1, 2, 3]) handles.push(await tasks.trigger("echo", { n }, { debounce }));
      expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
      const run = await ended(handles[0]?.id ?? "");
      expect(run.output).toMatchObject({ payload });
      const next = await tasks.trigger("echo", { n: 4 }, { debounce });
      expect(next.id).not.toBe(handles[0]?.id);
    }
  });

  it("stops debouncing at maxDelay, in another queue too", async () => {
    const debounce = { key: "capped", delay: "1h", maxDelay: "90m" };
    const first = await tasks.trigger("echo", {}, { debounce });
    const second = await tasks.trigger("echo", {}, { debounce, queue: "slow" });
    expect(second.id).toBe(first.id);
    const beyond = await tasks.trigger("echo", {}, { debounce: { ...debounce, delay: "2h" } });
    expect(beyond.id).not.toBe(first.id);
  });

  it("resets an idempotency key, and lets one expire", async () => {
    const idempotencyKey = await idempotencyKeys.create("order", { scope: "global" });
    const trigger = () => tasks.trigger("echo", {}, { idempotencyKey, idempotencyKeyTTL: "1h", delay: "1h" });
    const first = await trigger();
    expect((await trigger()).id).toBe(first.id);
    await idempotencyKeys.reset("echo", "order", { scope: "global" });
    expect((await trigger()).id).not.toBe(first.id);
    const short = { idempotencyKey: "short", idempotencyKeyTTL: "1s", delay: "1h" };
    const second = await tasks.trigger("echo", {}, short);
    await eventually(
      "its key has expired",
      async () => (await tasks.trigger("echo", {}, short)).id !== second.id,
    );
  });

  it("expires runs that did not start within their ttl, which begins when they are queued", async () => {
    const queue = { type: "task", name: "echo" } as const;
    await queues.pause(queue);
    const waiting = await tasks.trigger("echo", {}, { ttl: "1s" });
    const delayed = await tasks.trigger("echo", {}, { ttl: 1, delay: "1h" });
    const patient = await tasks.trigger("echo", {}, { ttl: 0 });
    expect((await ended(waiting.id)).status).toBe("EXPIRED");
    expect(await statusOf(delayed.id)).toBe("DELAYED");
    await queues.resume(queue);
    expect((await ended(patient.id)).status).toBe("COMPLETED");
  });

  it("starts runs with priority first, and otherwise the oldest", async () => {
    const queue = { type: "custom", name: "slow" } as const;
    await queues.overrideConcurrencyLimit(queue, 1);
    await queues.pause(queue);
    const handles: { id: string }[] = [];
    for (const priority of [0, 0, 100, 10]) handles.push(await tasks.trigger("slow-task", {}, { priority }));
    await queues.resume(queue);
    const done = await Promise.all(
      handles.map(async ({ id }) => ({ id, at: (await ended(id)).output as number })),
    );
    const order = done
      .toSorted((a, b) => a.at - b.at)
      .map(({ id }) => handles.findIndex((one) => one.id === id));
    expect(order).toEqual([2, 3, 0, 1]);
  });

  it("gives a run its machine, tags, attempts and version", async () => {
    const { id } = await tasks.trigger("echo", {}, { machine: "medium-1x", tags: ["a"], priority: 3 });
    const run = await ended(id);
    expect(run.tags).toEqual(["a"]);
    expect(run.output.ctx).toMatchObject({
      machine: { name: "medium-1x" },
      run: { priority: 3, tags: ["a"] },
    });
    const failed = await ended((await tasks.trigger("fails", {}, { maxAttempts: 2 })).id);
    expect(failed).toMatchObject({ status: "FAILED", attemptCount: 2 });
    const { version } = run;
    await deployTaskFile(server, TASKS);
    const pinned = await ended((await tasks.trigger("echo", {}, { version })).id);
    expect(pinned.version).toBe(version);
    expect((await ended((await tasks.trigger("echo", {})).id)).version).not.toBe(version);
  });

  it("stops a run at its maxDuration", async () => {
    const run = await ended((await tasks.trigger("endless", {}, { maxDuration: 5 })).id);
    expect(run.status).toBe("TIMED_OUT");
  });
});
