import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { queueKeyOf } from "../src/routing/keys.ts";
import type { QueueChange, QueueDeclaration } from "../src/rpc.ts";
import { bindings, Scene } from "./scene.ts";

const HOUR = 3_600_000;

/** Triggers runs with these keys, as a caller that knows the limits of the first deployment. */
async function triggerMany(
  scene: Scene,
  limits: QueueDeclaration,
  keys: (string | undefined)[],
): Promise<void> {
  const items = keys.map((concurrencyKey) => scene.item({ concurrencyKey }));
  await scene.queue.triggerRuns(scene.ref, { promotion: 1, ...limits }, items);
}

const times = <T>(count: number, value: T): T[] => Array<T>(count).fill(value);
const change = (scene: Scene, changed: QueueChange) => scene.queue.changeSettings(scene.ref, {}, changed);

describe("the concurrency of a queue", () => {
  it("has a limit for each key and one for all of them", async () => {
    const scene = await new Scene().deploy();
    const limits = { concurrencyLimit: 2, totalConcurrencyLimit: 3 };
    await triggerMany(scene, limits, [...times(4, "a"), ...times(4, "b")]);
    const first = await scene.pollAll();
    expect(first).toHaveLength(3);
    const byKey = Map.groupBy(first, (run) => run.concurrencyKey);
    expect([...byKey.values()].map((runs) => runs.length).sort()).toEqual([1, 2]);
    await scene.report({ completed: first[0] });
    expect(await scene.pollAll()).toHaveLength(1);
  });

  it("raised by an override takes effect at once; lowered, it kills nothing", async () => {
    const scene = await new Scene().deploy();
    await triggerMany(scene, { concurrencyLimit: 1 }, times(6, undefined));
    const first = await scene.pollAll();
    expect(first).toHaveLength(1);
    await change(scene, { type: "override", limits: { concurrencyLimit: 4 } });
    const more = await scene.pollAll();
    expect(more).toHaveLength(3);
    await change(scene, { type: "override", limits: { concurrencyLimit: 2 } });
    for (const run of [...first, ...more]) expect((await scene.run(run.runId)).status).toBe("DEQUEUED");
    for (const run of more.slice(0, 2)) await scene.report({ completed: run });
    expect(await scene.pollAll()).toEqual([]);
    await scene.report({ completed: more[2] });
    expect(await scene.pollAll()).toHaveLength(1);
  });

  it("stays overridden through triggers, evictions and deployments, until it is reset to the last declared value", async () => {
    const scene = await new Scene().deploy();
    await triggerMany(scene, { concurrencyLimit: 1 }, times(5, undefined));
    await change(scene, { type: "override", limits: { concurrencyLimit: 3 } });
    await evictDurableObject(scene.queueStub);
    await triggerMany(scene, { concurrencyLimit: 1 }, [undefined]);
    await scene.deploy({ queue: { concurrencyLimit: 2 } });
    const stats = await scene.queue.queueStats(scene.key);
    expect(stats?.settings.concurrencyLimit).toBe(3);
    expect(stats?.declared.concurrencyLimit).toBe(2);
    const reset = await change(scene, { type: "reset", limits: ["concurrencyLimit"] });
    expect(reset.settings.concurrencyLimit).toBe(2);
  });

  it("reaches the queue when a deployment is promoted, and a trigger of an earlier one does not change it back", async () => {
    const scene = await new Scene().deploy({ queue: { concurrencyLimit: 1 } });
    await triggerMany(scene, { concurrencyLimit: 1 }, times(4, undefined));
    expect(await scene.pollAll()).toHaveLength(1);
    await scene.deploy({ queue: { concurrencyLimit: 3 } });
    await triggerMany(scene, { concurrencyLimit: 1 }, [undefined]);
    expect(await scene.pollAll()).toHaveLength(2);
  });
});

describe("a paused queue", () => {
  it("keeps triggered runs, lets executing runs continue, and continues when it is resumed", async () => {
    const scene = await new Scene().deploy();
    await triggerMany(scene, {}, times(2, undefined));
    const [running] = (await scene.poll({ max: 1 })).runs;
    expect((await change(scene, { type: "pause", paused: true })).settings.paused).toBe(true);
    await triggerMany(scene, {}, [undefined]);
    await evictDurableObject(scene.queueStub);
    expect(await scene.pollAll()).toEqual([]);
    expect(await scene.report({ completed: running })).toEqual(["ok"]);
    await change(scene, { type: "pause", paused: false });
    expect(await scene.pollAll()).toHaveLength(2);
  });

  it("is paused even if nothing was ever triggered in it", async () => {
    const scene = await new Scene().deploy();
    await change(scene, { type: "pause", paused: true });
    await triggerMany(scene, {}, [undefined]);
    expect(await scene.pollAll()).toEqual([]);
    expect((await scene.environment.listQueues(0, 10)).queues).toEqual([
      { queue: "task/task", partitions: [0] },
    ]);
  });
});

describe("an environment", () => {
  it("may burst over its limit with several queues, never with one", async () => {
    const scene = await new Scene().deploy({ concurrencyLimit: 2, burstFactor: 1.5 });
    await triggerMany(scene, {}, times(5, undefined));
    expect(await scene.pollAll()).toHaveLength(2);
    const other = scene.another("other");
    await triggerMany(other, {}, times(5, undefined));
    expect(await other.pollAll()).toHaveLength(1);
    await evictDurableObject(scene.environmentStub);
    expect(await scene.pollAll()).toEqual([]);
  });

  it("that is paused starts nothing until it is resumed, also after an eviction", async () => {
    const scene = await new Scene().deploy();
    await scene.environment.updateEnvironment(scene.ref.environment, { paused: true });
    await triggerMany(scene, {}, times(2, undefined));
    await evictDurableObject(scene.environmentStub);
    expect(await scene.pollAll()).toEqual([]);
    await scene.environment.updateEnvironment(scene.ref.environment, { paused: false });
    expect(await scene.pollAll()).toHaveLength(2);
  });

  it("knows its queues by name and by key", async () => {
    const scene = await new Scene().deploy({ queue: { concurrencyLimit: 1 } });
    await triggerMany(scene.another("zoo"), {}, [undefined]);
    await scene.pollAll();
    const [task, zoo] = ["task/task", "zoo"].map((queue) => ({ queue, partitions: [0] }));
    expect(await scene.environment.listQueues(0, 10)).toEqual({ queues: [task, zoo], count: 2 });
    expect(await scene.environment.findQueue(scene.ref.queueKey)).toEqual(task);
    expect(await scene.environment.findQueue(queueKeyOf(scene.key, "zoo"))).toEqual(zoo);
    expect(await scene.environment.findQueue(queueKeyOf(scene.key, "nope"))).toBeNull();
  });
});

describe("a rate limit", () => {
  it("holds back runs beyond it, also after evictions of every object; once raised, it lets them start at once", async () => {
    const scene = await new Scene().deploy();
    const rateLimit = { limit: 2, period: HOUR, burst: 2 };
    await triggerMany(scene, { rateLimit }, times(5, undefined));
    expect(await scene.pollAll()).toHaveLength(2);
    await evictDurableObject(scene.queueStub);
    await evictDurableObject(scene.environmentStub);
    expect(await scene.pollAll()).toEqual([]);
    expect(await scene.queue.queueStats(scene.key)).toMatchObject({ pending: 3 });
    await change(scene, { type: "override", limits: { rateLimit: null } });
    expect(await scene.pollAll()).toHaveLength(3);
  });

  it("lets the next start when it has refilled, never earlier", async () => {
    const scene = await new Scene().deploy();
    const rateLimit = { limit: 5, period: 2_000 };
    const startedAt = Date.now();
    await triggerMany(scene, { rateLimit }, times(4, undefined));
    const at: number[] = [];
    while (at.length < 4) {
      const { runs } = await scene.poll({ waitMs: 5_000 });
      at.push(...runs.map(() => Date.now()));
    }
    for (const [index, time] of at.entries()) expect(time - startedAt).toBeGreaterThanOrEqual(400 * index);
  });

  it("continues to refill after an eviction", async () => {
    const scene = await new Scene().deploy();
    const limits = { rateLimit: { limit: 4, period: 2_000 }, rateLimitPerKey: { limit: 4, period: 2_000 } };
    await triggerMany(scene, limits, times(2, "a"));
    expect((await scene.poll()).runs).toHaveLength(1);
    await evictDurableObject(scene.queueStub);
    expect((await scene.poll({ waitMs: 5_000 })).runs).toHaveLength(1);
  });

  it("of each key applies to that key alone", async () => {
    const scene = await new Scene().deploy();
    const limits = { rateLimitPerKey: { limit: 1, period: HOUR } };
    await triggerMany(scene, limits, ["a", "a", "b", undefined, undefined]);
    const runs = await scene.pollAll();
    expect(runs.map((run) => run.concurrencyKey).sort()).toEqual(["a", "b", null]);
    await evictDurableObject(scene.queueStub);
    await triggerMany(scene, limits, ["c", "b"]);
    expect((await scene.pollAll()).map((run) => run.concurrencyKey)).toEqual(["c"]);
  });

  it("is respected by permits given in advance", async () => {
    const scene = await new Scene().deploy();
    const limits = { rateLimit: { limit: 3, period: HOUR, burst: 3 } };
    // The first is leased through the environment, which gives permits for later ones.
    await triggerMany(scene, limits, [undefined]);
    let started = (await scene.pollAll()).length;
    for (let n = 0; n < 5; n++) {
      const poll = scene.poll({ waitMs: 300 });
      await triggerMany(scene, limits, [undefined]);
      started += (await poll).runs.length;
    }
    expect(started + (await scene.pollAll()).length).toBe(3);
  });
});

describe("a full queue", () => {
  it("refuses more, counts delayed runs too, and accepts a repeated trigger", async () => {
    const scene = await new Scene().deploy();
    const declaration = { sizeLimit: 2, promotion: 1 };
    const delayed = scene.item({ delayUntil: Date.now() + HOUR });
    const first = await scene.queue.triggerRuns(scene.ref, declaration, [delayed, scene.item()]);
    expect(first.map((result) => result.error)).toEqual([undefined, undefined]);
    const [refused] = await scene.queue.triggerRuns(scene.ref, declaration, [scene.item()]);
    expect(refused).toMatchObject({ error: "queue_full", sizeLimit: 2 });
    const [again] = await scene.queue.triggerRuns(scene.ref, declaration, [delayed]);
    expect(again).toEqual({ runId: delayed.runId, cached: true });
    await evictDurableObject(scene.queueStub);
    expect(await scene.queue.queueStats(scene.key)).toMatchObject({ pending: 1, notYetQueued: 1 });
  });
});

describe("weights", () => {
  it("of environments reach the dispatcher with their state", async () => {
    const scene = await new Scene().deploy();
    await scene.environment.updateEnvironment(scene.ref.environment, { weight: 3 });
    await triggerMany(scene, {}, [undefined]);
    const state = await bindings.ENVIRONMENT.getByName(scene.key);
    expect(await state.syncState()).toMatchObject({ weight: 3 });
    await scene.pollAll();
  });
});

describe("a trigger's options", () => {
  it("decide the order: a head start in seconds, and otherwise the oldest first", async () => {
    const scene = await new Scene().deploy({ concurrencyLimit: 1 });
    await change(scene, { type: "pause", paused: true });
    const ids: string[] = [];
    for (const priorityMs of [0, 0, 100_000, 10_000]) ids.push(await scene.trigger({ priorityMs }));
    await change(scene, { type: "pause", paused: false });
    const order: number[] = [];
    while (order.length < ids.length) {
      const [run] = (await scene.poll({ waitMs: 5_000 })).runs;
      order.push(ids.indexOf(run?.runId ?? ""));
      await scene.report({ completed: run });
    }
    expect(order).toEqual([2, 3, 0, 1]);
  });

  it("reaches the host: machine, duration, attempts, tags, and the version it is locked to", async () => {
    const scene = await new Scene().deploy();
    const older = { id: "deployment_0", version: "20260101.1", contentHash: "1".repeat(64) };
    const asked = { machine: "large-2x", maxDuration: 60, maxAttempts: 7, tags: ["a", "b"] } as const;
    await scene.trigger({ ...asked, tags: [...asked.tags], lockedDeployment: older });
    const [run] = (await scene.poll()).runs;
    expect(run).toMatchObject({ ...asked, deployment: older });
    await scene.report({ completed: run });
    await scene.trigger();
    expect((await scene.poll({ waitMs: 5_000 })).runs[0]?.deployment.version).toBe("20270101.1");
  });

  it("lets a run expire only until it is dequeued: a lost host does not bring the ttl back", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger({ ttlMs: HOUR });
    const [lost] = (await scene.poll()).runs;
    await scene.report({ started: lost });
    await runInDurableObject(scene.queueStub, (_, state) => {
      state.storage.sql.exec("UPDATE runs SET due_at = 1 WHERE slot = 1");
    });
    await runDurableObjectAlarm(scene.queueStub);
    const ttls = await runInDurableObject(scene.queueStub, (_, state) =>
      state.storage.sql.exec("SELECT status, ttl_at FROM runs").toArray(),
    );
    expect(ttls).toEqual([{ status: "PENDING", ttl_at: null }]);
    const [again] = (await scene.poll({ waitMs: 5_000 })).runs;
    expect(again).toMatchObject({ runId, token: 2 });
  });
});
