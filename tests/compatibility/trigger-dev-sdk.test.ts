import { auth, configure, idempotencyKeys, runs, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

/** The published client of Trigger.dev, as its users install it, against this server. */
describe("@trigger.dev/sdk 4.8.3", () => {
  let server: LocalServer;

  beforeAll(async () => {
    server = await startLocalServer();
    configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
  });
  afterAll(() => server?.stop());

  const later = () => tasks.trigger("hello-world", { name: "later" }, { delay: "1h" });

  it("triggers a task, polls it to its end and reads its output", async () => {
    const handle = await tasks.trigger("hello-world", { name: "Grace" }, { tags: ["one", "two"] });
    expect(handle.id).toMatch(/^run_/);
    const run = await runs.poll(handle, { pollIntervalMs: 100 });
    expect(run).toMatchObject({
      status: "COMPLETED",
      isSuccess: true,
      payload: { name: "Grace" },
      output: { message: "Hello, Grace!" },
      tags: ["one", "two"],
      attemptCount: 1,
    });
    expect(run.createdAt).toBeInstanceOf(Date);
  });

  it.each([
    ["an object", { name: "x".repeat(200_000) }, "Hello, ".length + 200_000 + 1],
    ["what JSON can't hold", { name: "x".repeat(2_000_000), at: new Date(0) }, "Hello, ".length + 2_000_001],
  ])("triggers with a payload that the client uploads first: %s", async (_what, payload, length) => {
    const handle = await tasks.trigger("hello-world", payload);
    const run = await runs.poll(handle, { pollIntervalMs: 100 });
    expect(run).toMatchObject({ status: "COMPLETED", payload: { name: payload.name } });
    expect((run.output as { message: string }).message).toHaveLength(length);
  });

  it("gives a run metadata, which retrieve returns", async () => {
    const metadata = { step: 1, nested: { list: [1, "ä"] } };
    const handle = await tasks.trigger("hello-world", { name: "meta" }, { metadata, delay: "1h" });
    expect((await runs.retrieve(handle.id)).metadata).toEqual(metadata);
  });

  it("gives a run every option", async () => {
    const handle = await tasks.trigger(
      "hello-world",
      { name: "all" },
      {
        delay: new Date(Date.now() + 3_600_000),
        ttl: "2h",
        priority: 5,
        queue: "own",
        concurrencyKey: "customer-1",
        maxAttempts: 2,
        maxDuration: 60,
        machine: "small-2x",
        tags: ["a", "b"],
        idempotencyKey: ["order", String(Date.now())],
        idempotencyKeyTTL: "1h",
        version: (await runs.list({ limit: 1, status: "COMPLETED" })).data[0]?.version,
      },
    );
    expect(await runs.retrieve(handle.id)).toMatchObject({
      status: "DELAYED",
      ttl: "7200s",
      tags: ["a", "b"],
    });
  });

  it("shows a payload that JSON can't represent as the nearest JSON", async () => {
    const at = new Date("2026-01-02T03:04:05Z");
    const handle = await tasks.trigger("hello-world", { name: "Dates", at }, { delay: "1h" });
    const run = await runs.retrieve(handle.id);
    expect(run.payload).toEqual({ name: "Dates", at: at.toISOString() });
  });

  it("reads a run with the public token that the trigger returned", async () => {
    const handle = await later();
    await auth.withAuth({ baseURL: server.apiUrl, accessToken: handle.publicAccessToken }, async () => {
      expect((await runs.retrieve(handle.id)).status).toBe("DELAYED");
      await expect(runs.cancel(handle.id)).rejects.toMatchObject({ status: 403 });
    });
  });

  it("lists runs by filter, page by page", async () => {
    const tag = `list-${Date.now()}`;
    for (let n = 0; n < 5; n++) await tasks.trigger("hello-world", { name: `${n}` }, { tags: [tag] });
    await eventually(
      "all five are listed",
      async () => (await runs.list({ tag, limit: 10 })).data.length === 5,
    );
    const seen: string[] = [];
    for await (const run of runs.list({ tag, limit: 2 })) seen.push(run.id);
    expect(new Set(seen).size).toBe(5);
    const none = await runs.list({ tag, status: "CANCELED" });
    expect(none.data).toEqual([]);
    const first = await runs.list({ tag, limit: 2, taskIdentifier: "hello-world" });
    const second = await first.getNextPage();
    expect(second.data).toHaveLength(2);
    expect((await second.getPreviousPage()).data.map((run) => run.id)).toEqual(
      first.data.map((run) => run.id),
    );
  });

  it("cancels", async () => {
    const handle = await later();
    await runs.cancel(handle.id);
    expect(await runs.retrieve(handle.id)).toMatchObject({ status: "CANCELED", isCancelled: true });
  });

  it("reschedules only delayed runs", async () => {
    const handle = await later();
    const moved = await runs.reschedule(handle.id, { delay: "2h" });
    expect((moved.delayedUntil as Date).getTime()).toBeGreaterThan(Date.now() + 110 * 60_000);
    const done = await tasks.trigger("hello-world", { name: "done" });
    await runs.poll(done, { pollIntervalMs: 100 });
    await expect(runs.reschedule(done.id, { delay: "1h" })).rejects.toMatchObject({ status: 422 });
  });

  it("replays with the same payload, and with another", async () => {
    const handle = await tasks.trigger("hello-world", { name: "again" });
    await runs.poll(handle, { pollIntervalMs: 100 });
    const replayed = await runs.replay(handle.id);
    expect(replayed.id).not.toBe(handle.id);
    expect(await runs.poll(replayed.id, { pollIntervalMs: 100 })).toMatchObject({
      output: { message: "Hello, again!" },
    });
    const other = await runs.replay(handle.id, { payload: { name: "else" } });
    expect(await runs.poll(other.id, { pollIntervalMs: 100 })).toMatchObject({
      output: { message: "Hello, else!" },
    });
    const options = {
      payload: { name: "typed", at: new Date(0) },
      delay: "1h",
      tags: ["replayed"],
      ttl: "2h",
    };
    const delayed = await runs.replay(handle.id, { ...options, metadata: { why: "later" } });
    expect(await runs.retrieve(delayed.id)).toMatchObject({
      status: "DELAYED",
      tags: ["replayed"],
      ttl: "7200s",
      metadata: { why: "later" },
      payload: { name: "typed" },
    });
  });

  it("returns one run for one idempotency key, also in another queue, until the key is reset", async () => {
    const idempotencyKey = await idempotencyKeys.create(`order-${Date.now()}`, { scope: "global" });
    const trigger = (queue?: string) =>
      tasks.trigger(
        "hello-world",
        { name: "once" },
        { idempotencyKey, delay: "1h", ...(queue ? { queue } : {}) },
      );
    const [first, second, third] = await Promise.all([trigger(), trigger(), trigger("another-queue")]);
    expect(new Set([first.id, second.id, third.id]).size).toBe(1);
    await idempotencyKeys.reset("hello-world", idempotencyKey);
    expect((await trigger()).id).not.toBe(first.id);
  });

  it("reports errors with the status and class that the client knows", async () => {
    await expect(runs.retrieve("run_nope")).rejects.toMatchObject({ status: 404 });
    await expect(tasks.trigger("nope", {})).rejects.toMatchObject({ status: 404 });
    await auth.withAuth({ baseURL: server.apiUrl, accessToken: "tr_prod_wrong" }, async () => {
      await expect(runs.list()).rejects.toMatchObject({ status: 401 });
    });
    await expect(
      tasks.trigger("hello-world", { name: "x" }, { tags: Array.from({ length: 11 }, (_, n) => `t${n}`) }),
    ).rejects.toMatchObject({ status: 400 });
  });

  it("does not see another environment's run", async () => {
    const handle = await later();
    await auth.withAuth({ baseURL: server.apiUrl, accessToken: server.devSecretKey }, async () => {
      await expect(runs.retrieve(handle.id)).rejects.toMatchObject({ status: 404 });
      await expect(runs.cancel(handle.id)).rejects.toMatchObject({ status: 404 });
    });
    expect((await runs.retrieve(handle.id)).status).toBe("DELAYED");
  });
});
