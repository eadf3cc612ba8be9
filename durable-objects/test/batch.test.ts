import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { type DequeuedRun, newRunId, parseRunId, randomBase36 } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import * as core from "../src/batch/core.ts";
import type { BatchItem, BatchOwnerRpc, NewBatch } from "../src/batch/rpc.ts";
import { objectSql } from "../src/lib/sql.ts";
import { enqueueRuns } from "../src/routing/enqueue.ts";
import { newEnvironmentId } from "../src/routing/environment-id.ts";
import { queueRef } from "../src/routing/partitions.ts";
import type { QueueRef, TriggerItem } from "../src/rpc.ts";
import { bindings, Scene } from "./scene.ts";

const queueOf = (queueKey: string) => bindings.QUEUE.getByName(queueKey);
const DECLARATION = { concurrencyLimit: null };

/** Creates a batch in a scene's environment. */
class Batch {
  readonly scene: Scene;
  readonly id: string;

  constructor(scene: Scene) {
    this.scene = scene;
    this.id = newEnvironmentId("batch", scene.key);
  }

  get stub() {
    return bindings.BATCH.getByName(this.id);
  }

  get owner(): BatchOwnerRpc {
    return this.stub;
  }

  create(runCount: number, changes: Partial<NewBatch> = {}) {
    return this.owner.createBatch({
      id: this.id,
      environment: this.scene.ref.environment,
      runCount,
      idempotencyKey: null,
      parentRunId: null,
      ancestors: [],
      ...changes,
    });
  }

  ref(queue = this.scene.ref.queue): QueueRef {
    const environment = this.scene.ref.environment;
    return queueRef(environment, queue);
  }

  trigger(index: number, queue?: string, changes: Partial<TriggerItem> = {}): TriggerItem {
    const waiter = { type: "batch", batchId: this.id, index } as const;
    const runId = newRunId(this.ref(queue).queueKey);
    return this.scene.item({ runId, batchId: this.id, waiter, ...changes });
  }

  item(index: number, queue?: string, changes: Partial<TriggerItem> = {}): BatchItem {
    const item = this.trigger(index, queue, changes);
    const { queueKey } = this.ref(queue);
    return { index, task: item.task, runId: item.runId, queueKey, item: JSON.stringify(item) };
  }

  refused = (index: number): BatchItem => ({
    index,
    task: "nope",
    error: "There is no task nope.",
    code: "task_not_found",
  });

  chunk(items: BatchItem[], queues: (string | undefined)[] = [undefined]) {
    return {
      queues: queues.map((queue) => {
        const ref = this.ref(queue);
        return { queueKey: ref.queueKey, queue: ref.queue, partition: 0, declaration: DECLARATION };
      }),
      items,
    };
  }

  async add(items: BatchItem[], queues?: (string | undefined)[]) {
    const answer = await this.owner.addItems(this.scene.key, this.chunk(items, queues));
    if (!answer) throw new Error("The batch is not there");
    return answer;
  }

  async record() {
    const record = await this.owner.retrieveBatch(this.scene.key);
    if (!record) throw new Error("The batch is not there");
    return record;
  }

  async runs(): Promise<string[]> {
    return (await this.owner.listItems(this.scene.key))?.runs ?? [];
  }
}

const runsIn = (queueKey: string): Promise<string[]> =>
  runInDurableObject(bindings.QUEUE.getByName(queueKey), (_, { storage }) =>
    storage.sql
      .exec<{ id: string }>("SELECT id FROM runs ORDER BY seq")
      .toArray()
      .map(({ id }) => id),
  );

/** Runs everything that is queued in the scene to its end; `succeeds` decides how each run ends. */
async function drain(scene: Scene, succeeds: (run: DequeuedRun) => boolean = () => true) {
  for (;;) {
    const { runs } = await scene.poll();
    if (runs.length === 0) return;
    for (const run of runs) {
      const lease = { runId: run.runId, token: run.token, startedAt: Date.now() };
      const outcome = succeeds(run)
        ? ({ type: "success", output: run.payload ?? "null", outputType: "application/json" } as const)
        : ({ type: "failure", error: { type: "STRING_ERROR", raw: "failed" }, retry: null } as const);
      await queueOf(parseRunId(run.runId)?.queueKey as string).applyReports({
        hostId: scene.hostId,
        sessionId: `${scene.hostId}-session-1`,
        started: [lease],
        completed: [{ ...lease, completedAt: Date.now(), outcome }],
        heartbeats: [],
        journals: [],
        checkpoints: [],
        suspensions: [],
      });
    }
  }
}

/** A run that a host has, whose operation 0 waits for a batch. */
async function waitingParent(scene: Scene, batch: Batch) {
  const runId = await scene.trigger();
  const { runs } = await scene.poll();
  const run = runs.find((one) => one.runId === runId) as DequeuedRun;
  const operation = { runId, attempt: run.attempt, number: 0 };
  const claim = { ...operation, kind: "batch" as const, name: "task", target: batch.id };
  expect(await scene.queue.claimOperation(scene.key, claim)).toMatchObject({
    target: batch.id,
    claimed: true,
  });
  await scene.report({ started: run });
  const journal = { run, entries: [{ ...claim, startedAt: Date.now() }] };
  await scene.report({ journal });
  return { run, runId, operation };
}

describe("a batch", () => {
  it("of 1,000 items with duplicates, errors and several queues creates each run once, in order", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    await batch.create(1_000);
    const queues = [undefined, "second", "third"];
    const items = Array.from({ length: 1_000 }, (_, index) =>
      index % 10 === 9
        ? batch.refused(index)
        : batch.item(index, queues[index % 3], { payload: `{"index":${index}}` }),
    );
    const chunks = [items.slice(0, 400), items.slice(200, 700), items.slice(600), items.slice(0, 100)];
    const answers = [];
    for (const chunk of chunks) answers.push(await batch.add(chunk, queues));
    expect(answers.map(({ accepted, deduplicated, sealed }) => [accepted, deduplicated, sealed])).toEqual([
      [400, 0, false],
      [300, 200, false],
      [300, 100, true],
      [0, 100, true],
    ]);
    const created = await batch.owner.whenEnqueued(scene.key);
    const expected = items.flatMap((item) => ("runId" in item ? [item.runId] : []));
    expect(created?.map(({ runId }) => runId)).toEqual(expected);
    for (const [n, queue] of queues.entries()) {
      const own = items.filter((item) => item.index % 3 === n && "runId" in item);
      expect(await runsIn(batch.ref(queue).queueKey)).toEqual(
        own.map((item) => "runId" in item && item.runId),
      );
    }
    expect(await batch.record()).toMatchObject({ status: "PROCESSING", itemCount: 1_000, refusedCount: 100 });
    const listed = await batch.owner.listItems(scene.key);
    expect(listed?.errors).toHaveLength(100);
    expect(listed?.errors[0]).toEqual({
      index: 9,
      taskIdentifier: "nope",
      error: "There is no task nope.",
      errorCode: "task_not_found",
    });
    const left = await runInDurableObject(batch.stub, (_, { storage }) =>
      storage.sql.exec("SELECT idx FROM waiting").toArray(),
    );
    expect(left).toEqual([]);
  });

  it("creates nothing before all items have arrived", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    await batch.create(3);
    await batch.add([batch.item(0), batch.item(2)]);
    expect(await batch.owner.whenEnqueued(scene.key)).toEqual([]);
    expect(await batch.record()).toMatchObject({ status: "PENDING", sealed: false, itemCount: 2 });
    expect(await batch.owner.missingItems(scene.key, [0, 1, 2])).toEqual([1]);
    await batch.add([batch.item(1)]);
    await batch.owner.whenEnqueued(scene.key);
    expect(await batch.runs()).toHaveLength(3);
  });

  it("takes the same items from 20 senders at once, once each", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    await batch.create(50);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => batch.add(Array.from({ length: 50 }, (_, n) => batch.item(n)))),
    );
    expect(answers.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(50);
    await batch.owner.whenEnqueued(scene.key);
    expect(await runsIn(scene.ref.queueKey)).toEqual(await batch.runs());
    expect(await batch.runs()).toHaveLength(50);
  });

  it("refuses an item beyond its count", async () => {
    const batch = new Batch(await new Scene().deploy());
    await batch.create(1);
    expect(await batch.add([batch.item(1)])).toMatchObject({ accepted: 0, sealed: false });
  });

  it("ends when all of its runs have, with their results in order, and notifies its parent once", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    const { run, runId, operation } = await waitingParent(scene, batch);
    await batch.create(4, { waiter: operation });
    await batch.add([
      batch.item(0, undefined, { payload: "0" }),
      batch.item(1, undefined, { payload: "1" }),
      batch.refused(2),
      batch.item(3, undefined, { payload: "3" }),
    ]);
    await batch.owner.whenEnqueued(scene.key);
    expect(await scene.report({ suspended: { run, waits: [0] } })).toEqual([{ verdict: "suspended" }]);
    const resumed: DequeuedRun[] = [];
    await drain(scene, (one) => {
      if (one.runId === runId) resumed.push(one);
      return one.payload !== "1";
    });
    await until(async () => (await batch.record()).completedAt !== null);
    expect(await batch.record()).toMatchObject({ status: "PARTIAL_FAILED", completedCount: 3 });
    await until(async () => {
      await drain(scene, (one) => {
        if (one.runId === runId) resumed.push(one);
        return true;
      });
      return resumed.length > 0;
    });
    expect(resumed).toHaveLength(1);
    expect(resumed[0]?.resume?.journal[0]?.result).toEqual({
      ok: true,
      output: JSON.stringify({ batchId: batch.id }),
      outputType: "application/json",
    });
    const { results } = (await batch.owner.listResults(scene.key, -1, 100)) ?? {};
    expect(results?.map(({ index, result }) => [index, result.ok ? result.output : result.error])).toEqual([
      [0, "0"],
      [1, { type: "STRING_ERROR", raw: "failed" }],
      [2, { type: "INTERNAL_ERROR", code: "TASK_NOT_FOUND", message: "There is no task nope." }],
      [3, "3"],
    ]);
    expect(await batch.owner.listResults(scene.key, 1, 1)).toMatchObject({
      results: [{ index: 2 }],
      more: true,
    });
  });

  it("ends at once if all of its items are refused, and notifies its parent", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    const { run, runId, operation } = await waitingParent(scene, batch);
    await batch.create(1, { waiter: operation });
    await scene.report({ suspended: { run, waits: [0] } });
    await batch.add([batch.refused(0)]);
    expect(await batch.record()).toMatchObject({ status: "ABORTED", sealed: true });
    await until(async () => (await scene.run(runId)).status !== "WAITING_ON_WAITPOINT");
  });

  it("that has ended notifies an operation that subscribes later", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    await batch.create(1);
    await batch.add([batch.refused(0)]);
    const { run, runId, operation } = await waitingParent(scene, batch);
    await batch.create(1, { waiter: operation });
    await scene.report({ suspended: { run, waits: [0] } });
    await until(async () => (await scene.run(runId)).status !== "WAITING_ON_WAITPOINT");
  });

  it("whose items don't arrive in time is given up: nothing runs, its parent gets an error", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    const { run, runId, operation } = await waitingParent(scene, batch);
    await batch.create(2, { waiter: operation });
    await batch.add([batch.item(0)]);
    await scene.report({ suspended: { run, waits: [0] } });
    await runInDurableObject(batch.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE batch SET created_at = created_at - 1800000");
    });
    await runDurableObjectAlarm(batch.stub);
    expect(await batch.record()).toMatchObject({ status: "ABORTED", sealed: false });
    expect(await batch.add([batch.item(1)])).toMatchObject({ accepted: 0, status: "ABORTED" });
    expect(await runsIn(scene.ref.queueKey)).toEqual([runId]);
    await until(async () => (await scene.run(runId)).status !== "WAITING_ON_WAITPOINT");
    const { runs } = await scene.poll();
    expect(runs[0]?.resume?.journal[0]?.result).toMatchObject({
      ok: false,
      error: { code: "BATCH_NOT_SEALED" },
    });
  });

  it("that is canceled cancels its runs; before all items have arrived it has none, and it keeps no items", async () => {
    const scene = await new Scene().deploy();
    const sealed = new Batch(scene);
    await sealed.create(2);
    await sealed.add([sealed.item(0), sealed.item(1)]);
    const runs = (await sealed.owner.whenEnqueued(scene.key)) ?? [];
    await sealed.owner.cancelBatch(scene.key, "no more");
    await runDurableObjectAlarm(sealed.stub);
    for (const { runId } of runs) expect((await scene.run(runId)).status).toBe("CANCELED");
    await until(async () => (await sealed.record()).completedCount === 2);

    const open = new Batch(scene);
    await open.create(2);
    await open.add([open.item(0)]);
    await open.owner.cancelBatch(scene.key, "no more");
    expect(await open.record()).toMatchObject({ status: "ABORTED", sealed: false, canceled: "no more" });
    expect(await open.add([open.item(1)])).toMatchObject({ accepted: 0, status: "ABORTED" });
    const waiting = await runInDurableObject(open.stub, (_, { storage }) =>
      storage.sql.exec("SELECT count(*) AS n FROM waiting").one(),
    );
    expect(waiting).toEqual({ n: 0 });
    expect(await runsIn(scene.ref.queueKey)).toEqual(runs.map(({ runId }) => runId));
  });

  it("is unknown to other environments", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    await batch.create(1);
    const other = randomBase36(8);
    expect(await batch.owner.retrieveBatch(other)).toBeNull();
    expect(await batch.owner.addItems(other, batch.chunk([batch.item(0)]))).toBeNull();
    expect(await batch.owner.listItems(other)).toBeNull();
    expect(await batch.owner.listResults(other, -1, 1)).toBeNull();
    expect(await batch.owner.whenEnqueued(other)).toBeNull();
    expect(await batch.record()).toMatchObject({ itemCount: 0 });
  });

  it("is deleted when its retention has passed, and not before", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    await batch.create(1);
    await batch.add([batch.refused(0)]);
    await runDurableObjectAlarm(batch.stub);
    expect(await batch.record()).toMatchObject({ status: "ABORTED" });
    await runInDurableObject(batch.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE batch SET completed_at = 1");
    });
    await runDurableObjectAlarm(batch.stub);
    expect(await batch.owner.retrieveBatch(scene.key)).toBeNull();
  });
});

describe("a batch whose object died", () => {
  /** Does what the object does until its first commit with all items, and nothing after it. */
  async function sealedAndDead(scene: Scene, triggers: (batch: Batch) => TriggerItem[]) {
    const batch = new Batch(scene);
    const items = triggers(batch);
    await batch.create(items.length);
    await runInDurableObject(batch.stub, (_, { storage }) => {
      const sql = objectSql(storage);
      const chunk = batch.chunk(
        items.map((item, index) => ({
          index,
          task: item.task,
          runId: item.runId,
          queueKey: scene.ref.queueKey,
          item: JSON.stringify(item),
        })),
      );
      core.addItems(sql, core.readBatch(sql) as core.BatchRow, chunk, Date.now());
    });
    await evictDurableObject(batch.stub);
    return { batch, items };
  }

  it("continues with its alarm if it died before any run was created", async () => {
    const scene = await new Scene().deploy();
    const { batch, items } = await sealedAndDead(scene, (own) =>
      Array.from({ length: 700 }, (_, n) => own.trigger(n)),
    );
    await runDurableObjectAlarm(batch.stub);
    expect(await runsIn(scene.ref.queueKey)).toEqual(items.map(({ runId }) => runId));
    expect(await batch.runs()).toEqual(items.map(({ runId }) => runId));
  });

  it("after some were created, and some of those had ended, creates only the others", async () => {
    const scene = await new Scene().deploy();
    const { batch, items } = await sealedAndDead(scene, (own) =>
      Array.from({ length: 30 }, (_, n) => own.trigger(n)),
    );
    await enqueueRuns(queueOf, { target: scene.ref, declaration: DECLARATION, items: items.slice(0, 20) });
    const { runs } = await scene.poll({ max: 5 });
    for (const run of runs) await scene.report({ started: run, completed: run });
    await runDurableObjectAlarm(batch.stub);
    await batch.owner.whenEnqueued(scene.key);
    expect(await runsIn(scene.ref.queueKey)).toEqual(items.map(({ runId }) => runId));
    await drain(scene);
    await until(async () => (await batch.record()).completedAt !== null);
    expect(await batch.record()).toMatchObject({ status: "COMPLETED", completedCount: 30 });
  });

  it("counts a run once whose end is reported several times", async () => {
    const scene = await new Scene().deploy();
    const batch = new Batch(scene);
    await batch.create(2);
    await batch.add([batch.item(0), batch.item(1)]);
    const [first] = (await batch.owner.whenEnqueued(scene.key)) ?? [];
    const finished = {
      runId: first?.runId as string,
      task: "task",
      status: "COMPLETED_SUCCESSFULLY",
      result: { ok: true, output: "1" },
      usageMs: 1,
    } as const;
    await Promise.all(Array.from({ length: 20 }, () => batch.owner.runFinished(scene.key, 0, finished)));
    expect(await batch.record()).toMatchObject({ completedCount: 1, completedAt: null });
  });
});

describe("items with idempotency keys", () => {
  const idempotency = (key: string) => ({ key, expiresAt: Date.now() + 60_000, claim: true });

  it("stand for existing runs of any queue, and are notified when those end", async () => {
    const scene = await new Scene().deploy();
    const earlier = await scene.trigger({ idempotency: idempotency("earlier"), payload: '"earlier"' });
    const batch = new Batch(scene);
    await batch.create(3);
    await batch.add(
      [
        batch.item(0, undefined, { idempotency: idempotency("earlier") }),
        batch.item(1, "another", { idempotency: idempotency("earlier") }),
        batch.item(2, "another", { idempotency: idempotency("new") }),
      ],
      [undefined, "another"],
    );
    const created = (await batch.owner.whenEnqueued(scene.key)) ?? [];
    expect(created.map(({ runId, cached }) => [runId === earlier, cached])).toEqual([
      [true, true],
      [true, true],
      [false, false],
    ]);
    await drain(scene);
    await until(async () => (await batch.record()).completedAt !== null);
    const { results } = (await batch.owner.listResults(scene.key, -1, 10)) ?? {};
    expect(results?.map(({ result }) => result.ok && result.output)).toEqual([
      '"earlier"',
      '"earlier"',
      '{"n":1}',
    ]);
  });

  it("that stand for a run which waits for the batch are refused", async () => {
    const scene = await new Scene().deploy();
    const grandparent = await scene.trigger({ idempotency: idempotency("root") });
    const batch = new Batch(scene);
    await batch.create(1, { ancestors: [grandparent] });
    await batch.add([batch.item(0, undefined, { idempotency: idempotency("root") })]);
    await batch.owner.whenEnqueued(scene.key);
    expect((await batch.owner.listItems(scene.key))?.errors).toMatchObject([
      { index: 0, errorCode: "waits_on_itself" },
    ]);
    expect(await batch.record()).toMatchObject({ status: "ABORTED" });
  });
});
