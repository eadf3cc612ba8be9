import { evictDurableObject } from "cloudflare:test";
import { type DequeuedRun, type NamedLimitManifest, newRunId, parseRunId } from "@acme/sdk/contract";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { queueRef } from "../src/routing/partitions.ts";
import type { QueueRpc, TriggerItem } from "../src/rpc.ts";
import { bindings, Scene } from "./scene.ts";

/** Several queues whose runs may hold the same limits. */
class Shared {
  readonly scene = new Scene();
  readonly queues = ["a", "b", "c"].map((name) => this.scene.another(name));

  async deploy(limits: NamedLimitManifest[], concurrencyLimit = 100): Promise<this> {
    await this.scene.deploy({ limits, concurrencyLimit });
    return this;
  }

  async trigger(queue: number, count: number, changes: Partial<TriggerItem>): Promise<string[]> {
    const scene = this.queues[queue] as Scene;
    const items = Array.from({ length: count }, () => scene.item(changes));
    await scene.queue.triggerRuns(scene.ref, { promotion: 1 }, items);
    return items.map(({ runId }) => runId);
  }

  queueOf(run: Pick<DequeuedRun, "runId">): Scene {
    const key = parseRunId(run.runId)?.queueKey;
    return this.queues.find(({ ref }) => ref.queueKey === key) as Scene;
  }

  async finish(runs: DequeuedRun[]): Promise<void> {
    for (const run of runs) expect(await this.queueOf(run).report({ completed: run })).toEqual(["ok"]);
  }

  pollAll = () => this.scene.pollAll();

  pollSome(): Promise<DequeuedRun[]> {
    return vi.waitUntil(
      async () => {
        const runs = await this.pollAll();
        return runs.length > 0 && runs;
      },
      { timeout: 20_000 },
    );
  }

  /**
   * Finishes all executing runs until none is left. Returns the maximum number that executed at once and the
   * order of the queues.
   */
  async drain(count: number): Promise<{ most: number; queues: string[] }> {
    let most = 0;
    const queues: string[] = [];
    while (queues.length < count) {
      const runs = await this.pollSome();
      most = Math.max(most, runs.length);
      queues.push(...runs.map((run) => this.queueOf(run).ref.queue));
      await this.finish(runs);
    }
    return { most, queues };
  }

  limit = async (name: string) => this.scene.environment.findLimit(name);
}

let shared: Shared;
beforeEach(() => {
  shared = new Shared();
});

describe("a concurrency limit that several queues share", () => {
  it("is never exceeded, and each queue gets its turn", async () => {
    await shared.deploy([{ name: "api", total: 3 }]);
    for (const queue of [0, 1, 2]) await shared.trigger(queue, 4, { limits: ["api"] });
    const first = await shared.pollAll();
    expect(first).toHaveLength(3);
    await vi.waitFor(async () =>
      expect(await shared.limit("api")).toMatchObject({
        running: 3,
        queued: 9,
        total: { current: 3, base: 3 },
      }),
    );
    await shared.finish(first);
    const { most, queues } = await shared.drain(9);
    expect(most).toBe(3);
    const all = [...first.map((run) => shared.queueOf(run).ref.queue), ...queues];
    expect(all.toSorted()).toEqual(["a", "b", "c"].flatMap((name) => Array(4).fill(name)));
    // Nobody is served last.
    expect(new Set(all.slice(0, 9)).size).toBe(3);
    await vi.waitFor(async () => expect(await shared.limit("api")).toMatchObject({ running: 0, queued: 0 }));
  });

  it("with one slot goes from queue to queue", async () => {
    await shared.deploy([{ name: "api", total: 1 }]);
    for (const queue of [0, 1]) await shared.trigger(queue, 3, { limits: ["api"] });
    const { most, queues } = await shared.drain(6);
    expect(most).toBe(1);
    expect(queues.slice(0, 2).toSorted()).toEqual(["a", "b"]);
    expect(queues.slice(2, 4).toSorted()).toEqual(["a", "b"]);
  });

  it("does not hold back runs of the same queues that don't hold it", async () => {
    await shared.deploy([{ name: "api", total: 1 }]);
    await shared.trigger(0, 3, { limits: ["api"] });
    await shared.trigger(0, 5, {});
    await shared.trigger(1, 2, {});
    expect(await shared.pollAll()).toHaveLength(8);
  });

  it("bounds each concurrency key over all queues", async () => {
    await shared.deploy([{ name: "tenant", perKey: 2 }]);
    for (const queue of [0, 1])
      for (const concurrencyKey of ["x", "y", undefined])
        await shared.trigger(queue, 3, { limits: ["tenant"], concurrencyKey });
    const first = await shared.pollAll();
    const keys = first.map(({ concurrencyKey }) => concurrencyKey ?? "-").toSorted();
    expect(keys).toEqual(["-", "-", "x", "x", "y", "y"]);
    await shared.finish(first.filter(({ concurrencyKey }) => concurrencyKey === "x"));
    const next = await shared.pollSome();
    expect(next.map(({ concurrencyKey }) => concurrencyKey)).toEqual(["x", "x"]);
    expect(await shared.scene.environment.findLimitKey("tenant", "x")).toMatchObject({
      running: 2,
      perKey: { current: 2, base: 2, override: null },
    });
  });

  it("is held together with another one", async () => {
    await shared.deploy([
      { name: "api", total: 4 },
      { name: "gpu", total: 1 },
    ]);
    await shared.trigger(0, 3, { limits: ["gpu", "api"] });
    await shared.trigger(1, 5, { limits: ["api"] });
    const first = await shared.pollAll();
    expect(first).toHaveLength(4);
    expect(first.filter((run) => shared.queueOf(run) === shared.queues[0])).toHaveLength(1);
  });

  it("survives the environment's object, and that of a queue", async () => {
    await shared.deploy([{ name: "api", total: 2 }]);
    await shared.trigger(0, 2, { limits: ["api"] });
    const first = await shared.pollAll();
    expect(first).toHaveLength(2);
    await evictDurableObject(shared.scene.environmentStub);
    await evictDurableObject((shared.queues[0] as Scene).queueStub);
    await shared.trigger(1, 2, { limits: ["api"] });
    expect(await shared.pollAll()).toEqual([]);
    await shared.finish(first);
    expect(await shared.pollSome()).toHaveLength(2);
  });

  it("is free again when a run is suspended, its host is lost, or a canceled run has stopped", async () => {
    await shared.deploy([{ name: "api", total: 1 }]);
    const [a, b] = shared.queues as [Scene, Scene];
    await shared.trigger(0, 1, { limits: ["api"] });
    const [first] = (await shared.pollAll()) as [DequeuedRun];
    await a.report({ started: first });
    const until = Date.now() + 3_600_000;
    const entry = { number: 1, kind: "wait" as const, name: "1h", until, startedAt: Date.now() };
    await a.report({ journal: { run: first, entries: [entry] } });
    await shared.trigger(1, 2, { limits: ["api"] });
    expect(await shared.pollAll()).toEqual([]);
    expect(await a.report({ suspended: { run: first, waits: [1] } })).toEqual([{ verdict: "suspended" }]);
    const [second] = (await shared.pollSome()) as [DequeuedRun];
    expect(shared.queueOf(second)).toBe(b);
    await b.queue.hostSessionLost(`${b.hostId}-session-1`);
    const [third] = (await shared.pollSome()) as [DequeuedRun];
    expect(await shared.pollAll()).toEqual([]);
    await b.queue.cancelRun(b.key, third.runId, "by a test");
    expect(await shared.pollAll()).toEqual([]);
    await b.report({ completed: third, outcome: { type: "canceled" } });
    expect(await shared.pollSome()).toHaveLength(1);
  });

  it("is changed, paused and reset", async () => {
    await shared.deploy([{ name: "api", total: 1, perKey: 5 }]);
    const { environment } = shared.scene;
    await shared.trigger(0, 2, { limits: ["api"] });
    await shared.trigger(1, 4, { limits: ["api"] });
    expect(await shared.pollAll()).toHaveLength(1);
    expect(await environment.changeLimit("api", { type: "override", total: 3 })).toBe("ok");
    expect(await shared.pollSome()).toHaveLength(2);
    expect(await shared.limit("api")).toMatchObject({
      total: { current: 3, base: 1, override: 3, overriddenAt: expect.any(Number) },
      perKey: { current: 5, override: null },
    });
    await environment.changeLimit("api", { type: "override", total: 10 });
    await environment.changeLimit("api", { type: "pause", paused: true });
    await shared.trigger(0, 1, { limits: ["api"] });
    await environment.changeLimit("api", { type: "override-key", key: "", perKey: 0, ttlMs: 60_000 });
    await environment.changeLimit("api", { type: "pause", paused: false });
    expect(await shared.pollAll()).toEqual([]);
    await environment.changeLimit("api", { type: "reset-key", key: "" });
    // Of its five slots for runs without a key, three are in use.
    expect(await shared.pollSome()).toHaveLength(2);
    await environment.changeLimit("api", { type: "reset" });
    expect(await shared.limit("api")).toMatchObject({ total: { current: 1, override: null }, running: 5 });
    expect(await environment.changeLimit("other", { type: "reset" })).toBe("not_found");
  });

  it("lets an override of a key expire", async () => {
    await shared.deploy([{ name: "api", perKey: 1 }]);
    const { environment } = shared.scene;
    await environment.changeLimit("api", { type: "override-key", key: "x", perKey: 0, ttlMs: 1_000 });
    await shared.trigger(0, 1, { limits: ["api"], concurrencyKey: "x" });
    expect(await shared.pollSome()).toHaveLength(1);
    expect(await environment.findLimitKey("api", "x")).toMatchObject({
      perKey: { override: null, current: 1 },
    });
  });

  it("applies over the partitions of a queue too", async () => {
    await shared.deploy([{ name: "api", total: 2 }]);
    const { scene } = shared;
    const split = { promotion: 1, partitions: 2 };
    for (const partition of [0, 1]) {
      const ref = queueRef(scene.ref.environment, "split", partition);
      const items = Array.from({ length: 2 }, () =>
        scene.item({ limits: ["api"], runId: newRunId(ref.queueKey) }),
      );
      const queue: QueueRpc = bindings.QUEUE.getByName(ref.queueKey);
      await queue.triggerRuns(ref, split, items);
    }
    expect(await shared.pollAll()).toHaveLength(2);
  });
});
