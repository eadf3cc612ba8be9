import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { Scene } from "./scene.ts";
import { querySide } from "./worker.ts";

/** Makes every timer of the queue's runs due, as if that much time had passed, and lets its alarm run. */
async function timePasses(scene: Scene): Promise<void> {
  await runInDurableObject(scene.queueStub, (_, state) => {
    state.storage.sql.exec("UPDATE runs SET due_at = 1 WHERE due_at IS NOT NULL AND completed_at IS NULL");
    state.storage.sql.exec("UPDATE runs SET ttl_at = 1 WHERE ttl_at IS NOT NULL");
  });
  await runDurableObjectAlarm(scene.queueStub);
}

describe("a run", () => {
  it("goes from trigger to a host to its outcome", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    const [run] = (await scene.poll()).runs;
    expect(run).toMatchObject({ runId, taskId: "task", attempt: 1, payload: '{"n":1}', token: 1 });
    expect(await scene.report({ started: run })).toEqual(["ok"]);
    expect((await scene.run(runId)).status).toBe("EXECUTING");
    expect(await scene.report({ completed: run })).toEqual(["ok"]);
    expect(await scene.run(runId)).toMatchObject({
      status: "COMPLETED_SUCCESSFULLY",
      output: '"done"',
      attempts: 1,
    });
  });

  it("is created once, however often its trigger is sent", async () => {
    const scene = await new Scene().deploy();
    const { runId } = scene.item();
    expect(await scene.trigger({ runId })).toBe(runId);
    expect(await scene.trigger({ runId })).toBe(runId);
    expect(await scene.queue.queueStats(scene.key)).toMatchObject({ pending: 1 });
  });

  it("is unknown to another environment", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    expect(await scene.queue.retrieveRun("another0", runId)).toBeNull();
    expect(await scene.queue.cancelRun("another0", runId, "no")).toMatchObject({ error: "not_found" });
    expect((await scene.run(runId)).status).toBe("PENDING");
  });

  it("does not exist in a queue without triggers, and a request for it creates nothing", async () => {
    const scene = new Scene();
    expect(await scene.queue.retrieveRun(scene.key, scene.item().runId)).toBeNull();
    const tables = await runInDurableObject(scene.queueStub, (_, state) =>
      state.storage.sql
        .exec("SELECT count(*) AS n FROM sqlite_schema WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
        .one(),
    );
    expect(tables).toEqual({ n: 0 });
  });
});

describe("a lease", () => {
  it("fences: a report with an old token changes nothing and is answered with stale", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    const [first] = (await scene.poll()).runs;
    await scene.report({ started: first });
    await timePasses(scene);
    const [second] = (await scene.poll()).runs;
    expect(second).toMatchObject({ runId, token: 2, attempt: 1 });
    expect(await scene.report({ completed: first })).toEqual(["stale"]);
    expect(await scene.report({ heartbeat: first })).toEqual(["stale"]);
    expect((await scene.run(runId)).status).toBe("DEQUEUED");
    expect(await scene.report({ completed: second })).toEqual(["ok"]);
    const { status, attemptRecords } = await scene.run(runId);
    expect(status).toBe("COMPLETED_SUCCESSFULLY");
    expect(attemptRecords.map((attempt) => attempt.status)).toEqual(["LOST", "COMPLETED"]);
  });

  it("is reported twice with one effect", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    const [run] = (await scene.poll()).runs;
    expect(await scene.report({ completed: run })).toEqual(["ok"]);
    const before = await scene.run(runId);
    const other = { type: "success" as const, output: '"another"', outputType: "application/json" };
    expect(await scene.report({ completed: run, outcome: other })).toEqual(["ok"]);
    expect(await scene.run(runId)).toEqual(before);
  });

  it("lost too often fails the run", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    for (let n = 0; n < 13; n++) {
      await scene.poll();
      await timePasses(scene);
    }
    expect(await scene.run(runId)).toMatchObject({
      status: "SYSTEM_FAILURE",
      error: { type: "INTERNAL_ERROR", code: "TASK_RUN_DEQUEUED_MAX_RETRIES" },
    });
  });

  it("of a restarted host ends at once", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    const [lost] = (await scene.poll({ sessionId: "session-1" })).runs;
    await scene.report({ started: lost });
    const again = await until(async () => (await scene.poll({ sessionId: "session-2" })).runs[0], {
      timeout: 10_000,
    });
    expect(again).toMatchObject({ runId, attempt: 1, token: 2 });
    expect((await scene.poll({ sessionId: "session-1" })).ended).toBe(true);
  });
});

describe("a failed attempt", () => {
  const error = {
    type: "BUILT_IN_ERROR" as const,
    name: "Error",
    message: "boom",
    stackTrace: "Error: boom",
  };

  it("is retried until the attempts are used up", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger({ maxAttempts: 2 });
    const [first] = (await scene.poll()).runs;
    await scene.report({ completed: first, outcome: { type: "failure", error } });
    expect((await scene.run(runId)).status).toBe("RETRYING");
    await timePasses(scene);
    const [second] = (await scene.poll()).runs;
    expect(second).toMatchObject({ attempt: 2 });
    await scene.report({ completed: second, outcome: { type: "failure", error } });
    expect(await scene.run(runId)).toMatchObject({ status: "COMPLETED_WITH_ERRORS", error, attempts: 2 });
  });

  it("is not retried where the task said so", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    const [run] = (await scene.poll()).runs;
    await scene.report({ completed: run, outcome: { type: "failure", error, retry: null } });
    expect((await scene.run(runId)).status).toBe("COMPLETED_WITH_ERRORS");
  });
});

describe("timers", () => {
  it("queue a delayed run, expire one whose ttl passed, and survive an eviction", async () => {
    const scene = await new Scene().deploy();
    const delayed = await scene.trigger({ delayUntil: Date.now() + 3_600_000 });
    const expiring = await scene.trigger({ ttlMs: 3_600_000 });
    expect((await scene.run(delayed)).status).toBe("DELAYED");
    await evictDurableObject(scene.queueStub);
    await timePasses(scene);
    expect((await scene.run(delayed)).status).toBe("PENDING");
    expect((await scene.run(expiring)).status).toBe("EXPIRED");
  });

  it("delete a run when its retention has passed", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger();
    await scene.queue.cancelRun(scene.key, runId, "not needed");
    await runInDurableObject(scene.queueStub, (_, state) => {
      state.storage.sql.exec("UPDATE runs SET due_at = 1");
    });
    await runDurableObjectAlarm(scene.queueStub);
    expect(await scene.queue.retrieveRun(scene.key, runId)).toBeNull();
  });
});

describe("limits", () => {
  it("of a queue hold, also after evictions of every object", async () => {
    const scene = await new Scene().deploy();
    for (let n = 0; n < 5; n++) await scene.trigger({}, 2);
    const first = await scene.pollAll();
    expect(first).toHaveLength(2);
    await evictDurableObject(scene.queueStub);
    await evictDurableObject(scene.environmentStub);
    await evictDurableObject(scene.dispatcherStub);
    expect((await scene.poll()).runs).toEqual([]);
    await scene.report({ completed: first[0] });
    expect((await scene.poll({ waitMs: 5_000 })).runs).toHaveLength(1);
  });

  it("of an environment hold over all its queues, also after evictions", async () => {
    const scene = await new Scene().deploy({ concurrencyLimit: 2 });
    for (let n = 0; n < 4; n++) await scene.trigger();
    const first = await scene.pollAll();
    expect(first).toHaveLength(2);
    await evictDurableObject(scene.environmentStub);
    expect((await scene.poll()).runs).toEqual([]);
    await scene.report({ completed: first[0] });
    expect((await scene.poll({ waitMs: 5_000 })).runs).toHaveLength(1);
  });

  it("hold for each concurrency key", async () => {
    const scene = await new Scene().deploy();
    for (const concurrencyKey of ["a", "a", "a", "b", "b"]) await scene.trigger({ concurrencyKey }, 1);
    const runs = await scene.pollAll();
    expect(runs.map((run) => run.concurrencyKey).sort()).toEqual(["a", "b"]);
  });
});

describe("cancel", () => {
  it("reaches the host at once, and the slot is free when the host has stopped", async () => {
    const scene = await new Scene().deploy({ concurrencyLimit: 1 });
    const runId = await scene.trigger();
    await scene.trigger();
    const [run] = (await scene.poll()).runs;
    await scene.report({ started: run });
    const notices = scene.poll({ max: 0, waitMs: 5_000 });
    await scene.queue.cancelRun(scene.key, runId, "by a test");
    expect((await notices).notices).toEqual([{ type: "cancel", runId, token: 1 }]);
    expect((await scene.run(runId)).status).toBe("CANCELED");
    expect((await scene.poll()).runs).toEqual([]);
    expect(await scene.report({ heartbeat: run })).toEqual(["canceled"]);
    expect(await scene.report({ completed: run, outcome: { type: "canceled" } })).toEqual(["ok"]);
    expect((await scene.poll({ waitMs: 5_000 })).runs).toHaveLength(1);
    expect((await scene.run(runId)).status).toBe("CANCELED");
  });
});

describe("a deployment", () => {
  it("that brings the task queues the runs that waited for it", async () => {
    const scene = new Scene();
    const runId = await scene.trigger({ known: false });
    expect((await scene.run(runId)).status).toBe("PENDING_VERSION");
    await scene.deploy();
    await until(async () => (await scene.run(runId)).status === "PENDING");
    expect((await scene.poll()).runs).toHaveLength(1);
  });

  it("that comes too late for a run's ttl finds it expired", async () => {
    const scene = new Scene();
    const expired = await scene.trigger({ known: false, ttlMs: 1 });
    const waiting = await scene.trigger({ known: false, ttlMs: 60_000 });
    await until(async () => {
      await runDurableObjectAlarm(scene.queueStub);
      return (await scene.run(expired)).status === "EXPIRED";
    });
    await scene.deploy();
    await until(async () => (await scene.run(waiting)).status === "PENDING");
    expect((await scene.poll()).runs.map(({ runId }) => runId)).toEqual([waiting]);
    expect((await scene.run(expired)).status).toBe("EXPIRED");
  });

  it("promoted while a trigger was on its way reaches that run too", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger({ known: false });
    await until(async () => (await scene.run(runId)).status === "PENDING");
  });
});

describe("the query side", () => {
  it("follows, and catches up after it was unreachable", async () => {
    const scene = await new Scene().deploy();
    querySide.away = true;
    const runId = await scene.trigger();
    await runDurableObjectAlarm(scene.queueStub);
    expect(querySide.rows.has(runId)).toBe(false);
    querySide.away = false;
    await runDurableObjectAlarm(scene.queueStub);
    expect(querySide.rows.get(runId)).toMatchObject({ status: "PENDING", task: "task" });
    await scene.queue.cancelRun(scene.key, runId, "by a test");
    await until(() => querySide.rows.get(runId)?.status === "CANCELED", { timeout: 10_000 });
  });
});

describe("idempotency keys", () => {
  const idempotency = { key: "k", expiresAt: Date.now() + 3_600_000, claim: true };

  it("stand for one run when triggers race, until they expire or are reset", async () => {
    const scene = await new Scene().deploy();
    const ids = await Promise.all(Array.from({ length: 10 }, () => scene.trigger({ idempotency })));
    expect(new Set(ids).size).toBe(1);
    expect(await scene.queue.resetIdempotencyKey(scene.key, "task", "k")).toEqual({ reset: true });
    const next = await scene.trigger({ idempotency });
    expect(ids).not.toContain(next);
    await runInDurableObject(scene.queueStub, (_, state) => {
      state.storage.sql.exec("UPDATE idempotency SET expires_at = 1");
    });
    expect(await scene.trigger({ idempotency })).not.toBe(next);
  });
});

describe("metadata and tags", () => {
  it("change by operations, within their limits", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger({ metadata: '{"n":1}' });
    const change = (operations: Parameters<typeof scene.queue.updateMetadata>[2]) =>
      scene.queue.updateMetadata(scene.key, runId, operations);
    await change([
      { type: "increment", key: "n", value: 2 },
      { type: "append", key: "list", value: "a" },
      { type: "set", key: "$.deep.er", value: true },
    ]);
    expect(JSON.parse((await scene.run(runId)).metadata ?? "")).toEqual({
      n: 3,
      list: ["a"],
      deep: { er: true },
    });
    expect(await change([{ type: "set", key: "big", value: "x".repeat(300_000) }])).toMatchObject({
      error: "too_large",
    });
    // The limit counts bytes: each of these characters has three.
    expect(await change([{ type: "set", key: "big", value: "日".repeat(100_000) }])).toMatchObject({
      error: "too_large",
    });
    const many = Array.from({ length: 11 }, (_, n) => `t${n}`);
    expect(await scene.queue.addTags(scene.key, runId, many)).toMatchObject({ error: "too_many_tags" });
    expect((await scene.run(runId)).tags).toEqual([]);
  });
});
