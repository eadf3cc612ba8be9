import { evictDurableObject } from "cloudflare:test";
import { type DequeuedRun, parseRunId, type QueueLimits } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { partitionOf, queueRef } from "../src/routing/partitions.ts";
import type { QueueChange, QueueDeclaration, TriggerItem } from "../src/rpc.ts";
import { Scene } from "./scene.ts";

const HOUR = 3_600_000;

/** A queue of four partitions; runs can be triggered in each of them. */
class Split {
  readonly scene = new Scene();
  readonly partitions: Scene[];
  #declaration: QueueDeclaration = {};

  constructor() {
    const { environment, queue } = this.scene.ref;
    this.partitions = [0, 1, 2, 3].map((partition) =>
      Object.defineProperty(Object.create(this.scene) as Scene, "ref", {
        value: queueRef(environment, queue, partition),
      }),
    );
  }

  async deploy(queue: QueueLimits, concurrencyLimit = 100): Promise<this> {
    this.#declaration = { ...queue, partitions: 4, promotion: 1 };
    await this.scene.deploy({ queue: { ...queue, partitions: 4 }, concurrencyLimit });
    return this;
  }

  of(partition: number): Scene {
    return this.partitions[partition] as Scene;
  }

  async trigger(partition: number, count: number, changes: Partial<TriggerItem> = {}): Promise<void> {
    const scene = this.of(partition);
    const items = Array.from({ length: count }, () => scene.item(changes));
    await scene.queue.triggerRuns(scene.ref, this.#declaration, items);
  }

  change(changed: QueueChange) {
    const { queue, ref } = this.of(0);
    return queue.changeSettings(ref, {}, changed);
  }

  /** The partitions that runs come from. */
  partitionsOf(runs: DequeuedRun[]): number[] {
    const keys = this.partitions.map(({ ref }) => ref.queueKey);
    return runs.map(({ runId }) => keys.indexOf(parseRunId(runId)?.queueKey as string));
  }

  async finish(runs: DequeuedRun[]): Promise<void> {
    const partitions = this.partitionsOf(runs);
    for (const [index, run] of runs.entries())
      expect(await this.of(partitions[index] as number).report({ completed: run })).toEqual(["ok"]);
  }

  pollAll(): Promise<DequeuedRun[]> {
    return this.scene.pollAll();
  }

  /** Polls until there is something, and what else there is then. */
  async pollSome(): Promise<DequeuedRun[]> {
    return until(async () => {
      const runs = await this.pollAll();
      return runs.length > 0 && runs;
    });
  }
}

describe("the limits of a queue that is split", () => {
  it("hold over its partitions, and each gets its turn", async () => {
    const split = await new Split().deploy({ concurrencyLimit: 10 });
    for (const partition of [0, 1, 2, 3]) await split.trigger(partition, 10);
    const first = await split.pollAll();
    expect(first).toHaveLength(10);
    expect(new Set(split.partitionsOf(first)).size).toBe(4);
    await split.finish(first.slice(0, 3));
    expect(await split.pollSome()).toHaveLength(3);
  });

  it("are available to one partition alone, whatever permits the others have prefetched", async () => {
    const split = await new Split().deploy({ concurrencyLimit: 10 });
    // Each in turn has the queue to itself, which leaves it with prefetched permits.
    for (const partition of [1, 2, 3]) {
      await split.trigger(partition, 1);
      await split.finish(await split.pollSome());
    }
    await split.trigger(0, 20);
    const all: DequeuedRun[] = [];
    await until(async () => all.push(...(await split.pollAll())) >= 10);
    expect(await split.pollAll()).toEqual([]);
    expect(all).toHaveLength(10);
    expect(new Set(split.partitionsOf(all))).toEqual(new Set([0]));
  });

  it("hold through evictions of partitions and of the environment", async () => {
    const split = await new Split().deploy({ concurrencyLimit: 6 });
    for (const partition of [0, 1, 2, 3]) await split.trigger(partition, 6);
    const first = await split.pollAll();
    expect(first).toHaveLength(6);
    for (const { queueStub } of split.partitions) await evictDurableObject(queueStub);
    expect(await split.pollAll()).toEqual([]);
    await evictDurableObject(split.scene.environmentStub);
    expect(await split.pollAll()).toEqual([]);
    await split.finish(first);
    expect(await split.pollSome()).toHaveLength(6);
  });

  it("are separate for runs without a key, for each key, and for all", async () => {
    const split = await new Split().deploy({ concurrencyLimit: 2, totalConcurrencyLimit: 7 });
    for (const partition of [0, 1, 2, 3]) {
      await split.trigger(partition, 4);
      await split.trigger(partition, 4, { concurrencyKey: `key-${partition}` });
    }
    const runs = await split.pollAll();
    expect(runs).toHaveLength(7);
    const byKey = Map.groupBy(runs, ({ concurrencyKey }) => concurrencyKey);
    for (const { length } of byKey.values()) expect(length).toBeLessThanOrEqual(2);
    // Runs with a key are not delayed by runs without one.
    await split.finish(runs.filter(({ concurrencyKey }) => concurrencyKey !== null));
    const more = await split.pollSome();
    const unkeyed = [...runs, ...more].filter(({ concurrencyKey }) => concurrencyKey === null);
    expect(unkeyed.length).toBeLessThanOrEqual(2);
    expect(more.length).toBeGreaterThanOrEqual(5);
  });

  it("lowered, raised and reset by the API hold in all partitions from then on", async () => {
    const split = await new Split().deploy({ concurrencyLimit: 8 });
    for (const partition of [0, 1, 2, 3]) await split.trigger(partition, 6);
    const first = await split.pollAll();
    expect(first).toHaveLength(8);
    await split.change({ type: "override", limits: { concurrencyLimit: 3 } });
    await split.finish(first.slice(0, 5));
    expect(await split.pollAll()).toEqual([]);
    await split.finish(first.slice(5, 7));
    expect(await split.pollSome()).toHaveLength(2);
    await split.change({ type: "override", limits: { concurrencyLimit: 9 } });
    expect(await split.pollSome()).toHaveLength(6);
    await split.change({ type: "reset", limits: ["concurrencyLimit"] });
    for (const { queue, key } of split.partitions)
      expect((await queue.queueStats(key))?.settings.concurrencyLimit).toBe(8);
  });

  it("are those of the current deployment", async () => {
    const split = await new Split().deploy({ concurrencyLimit: 2 });
    for (const partition of [0, 1, 2, 3]) await split.trigger(partition, 4);
    expect(await split.pollAll()).toHaveLength(2);
    await split.scene.deploy({ queue: { concurrencyLimit: 5, partitions: 4 } });
    expect(await split.pollSome()).toHaveLength(3);
  });

  it("by rate are not multiplied, nor divided, also not by evictions", async () => {
    const split = await new Split().deploy({ rateLimit: { limit: 6, period: HOUR, burst: 6 } });
    await split.trigger(0, 2);
    const started = (await split.pollAll()).length;
    expect(started).toBe(2);
    for (const partition of [1, 2]) await split.trigger(partition, 1);
    expect(await split.pollAll()).toHaveLength(2);
    await evictDurableObject(split.scene.environmentStub);
    await split.trigger(3, 8);
    expect(await split.pollAll()).toHaveLength(2);
    for (const { queueStub } of split.partitions) await evictDurableObject(queueStub);
    await evictDurableObject(split.scene.environmentStub);
    await split.trigger(1, 3);
    expect(await split.pollAll()).toEqual([]);
  });

  it("by rate let start what time allows", async () => {
    const split = await new Split().deploy({ rateLimit: { limit: 4, period: 2_000 } });
    for (const partition of [0, 1, 2, 3]) await split.trigger(partition, 1);
    const began = Date.now();
    const runs: DequeuedRun[] = [];
    await until(async () => runs.push(...(await split.scene.poll()).runs) === 4, { timeout: 10_000 });
    // Four are three intervals of 500 ms apart.
    expect(Date.now() - began).toBeGreaterThanOrEqual(1_400);
  });
});

describe("a queue that is split", () => {
  it("has one turn where another has one", async () => {
    const split = await new Split().deploy({}, 1_000);
    const other = split.scene.another("other");
    for (const partition of [0, 1, 2, 3]) await split.trigger(partition, 20);
    await other.queue.triggerRuns(
      other.ref,
      { promotion: 1 },
      Array.from({ length: 80 }, () => other.item()),
    );
    // The environment divides among the queues that it knows of.
    await until(async () => (await split.scene.environment.environmentStats()).ready === 160);
    // Asked directly: a poll of the dispatcher that all tests share may be answered with runs that others left queued.
    const { hostId, environment } = split.scene;
    const leased = await environment.dequeueForHost({ hostId, sessionId: `${hostId}-session-1`, max: 20 });
    const runs = leased.runs.map(({ json }) => JSON.parse(json) as DequeuedRun);
    const own = split.partitionsOf(runs).filter((partition) => partition >= 0);
    expect(runs).toHaveLength(20);
    expect(own).toHaveLength(10);
  });

  it("is paused in partitions that come later, and after evictions", async () => {
    const split = await new Split().deploy({});
    await split.change({ type: "pause", paused: true });
    await evictDurableObject(split.scene.environmentStub);
    await evictDurableObject(split.of(0).queueStub);
    for (const partition of [0, 3]) await split.trigger(partition, 1);
    expect(await split.pollAll()).toEqual([]);
    await split.change({ type: "pause", paused: false });
    expect(await split.pollSome()).toHaveLength(2);
  });

  it("executes the runs in partitions beyond a lowered number, under the same limit", async () => {
    const split = await new Split().deploy({ concurrencyLimit: 3 });
    for (const partition of [0, 3]) await split.trigger(partition, 4);
    await split.change({ type: "override", limits: { partitions: 1 } });
    let left = 8;
    while (left > 0) {
      const runs = await split.pollSome();
      expect(runs.length).toBeLessThanOrEqual(3);
      left -= runs.length;
      await split.finish(runs);
    }
    const known = await split.scene.environment.findQueue(split.of(3).ref.queueKey);
    expect(known).toEqual({ queue: "task/task", partitions: [0, 3] });
  });

  it("enforces a key's limit even if its partition is another one since the number changed", async () => {
    const split = await new Split().deploy({ concurrencyLimit: 2 });
    const concurrencyKey = ["a", "b", "c", "d", "e"].find((key) => partitionOf(key, 4) === 3) as string;
    const home = partitionOf(concurrencyKey, 4);
    await split.change({ type: "override", limits: { partitions: 1 } });
    await split.trigger(0, 5, { concurrencyKey });
    const running = await split.pollAll();
    expect(running).toHaveLength(2);
    await split.change({ type: "override", limits: { partitions: 4 } });
    await split.trigger(home, 5, { concurrencyKey });
    await split.trigger(1, 1, { concurrencyKey: "another" });
    // Others are not delayed.
    expect((await split.pollSome()).map((run) => run.concurrencyKey)).toEqual(["another"]);
    expect(await split.pollAll()).toEqual([]);
    await evictDurableObject(split.scene.environmentStub);
    await evictDurableObject(split.of(0).queueStub);
    expect(await split.pollAll()).toEqual([]);
    const places = new Set<number>();
    for (let held = running, left = 8; left > 0; left -= held.length) {
      await split.finish(held);
      held = await split.pollSome();
      expect(held.length).toBeLessThanOrEqual(2);
      for (const partition of split.partitionsOf(held)) places.add(partition);
    }
    expect(places).toEqual(new Set([0, home]));
  });

  it("divides its size limit", async () => {
    const split = await new Split().deploy({});
    const scene = split.of(2);
    const declaration = { partitions: 4, sizeLimit: 8, promotion: 1 };
    const items = Array.from({ length: 3 }, () => scene.item());
    const results = await scene.queue.triggerRuns(scene.ref, declaration, items);
    expect(results.map(({ error }) => error)).toEqual([undefined, undefined, "queue_full"]);
  });
});
