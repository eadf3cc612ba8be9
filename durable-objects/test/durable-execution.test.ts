import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import type { DequeuedRun, JournalEntry } from "@acme/sdk/contract";
import { describe, expect, it, vi } from "vitest";
import type { Waiter } from "../src/rpc.ts";
import { Scene } from "./scene.ts";

const entry = (number: number, more: Partial<JournalEntry> = {}): JournalEntry => ({
  number,
  kind: "wait",
  name: "wait",
  startedAt: Date.now(),
  ...more,
});

/** A run whose attempt started on the scene's host. */
async function started(scene: Scene, more: Parameters<Scene["trigger"]>[0] = {}): Promise<DequeuedRun> {
  const runId = await scene.trigger(more);
  const run = (await scene.poll()).runs.find((each) => each.runId === runId) as DequeuedRun;
  expect(await scene.report({ started: run })).toEqual(["ok"]);
  return run;
}

/** Started, and suspended on these operations. */
async function suspended(scene: Scene, entries: JournalEntry[]): Promise<DequeuedRun> {
  const run = await started(scene);
  expect(await scene.report({ journal: { run, entries } })).toEqual(["ok"]);
  const waits = entries.filter(({ result }) => !result).map(({ number }) => number);
  expect(await scene.report({ suspended: { run, waits } })).toEqual([{ verdict: "suspended" }]);
  return run;
}

async function timePasses(scene: Scene, runId: string): Promise<void> {
  await runInDurableObject(scene.queueStub, (_, { storage }) => {
    storage.sql.exec("UPDATE runs SET due_at = 1 WHERE id = ? AND due_at IS NOT NULL", runId);
    storage.sql.exec("UPDATE journal SET until_at = 1 WHERE kind = 'wait'");
  });
  await runDurableObjectAlarm(scene.queueStub);
}

const HOUR = 3_600_000;

describe("a suspended run", () => {
  it("holds no slot and no lease, and resumes with its journal when its wait is due", async () => {
    const scene = await new Scene().deploy();
    const values = { now: [5], random: [0.25] };
    const done = entry(0, { kind: "step", name: "pay", result: { ok: true, output: "1" }, values });
    const run = await suspended(scene, [done, entry(1, { until: Date.now() + HOUR })]);
    expect(await scene.run(run.runId)).toMatchObject({ status: "WAITING_ON_WAITPOINT", attempts: 1 });
    expect(await scene.queue.queueStats(scene.key)).toMatchObject({ running: 0, pending: 0 });

    await timePasses(scene, run.runId);
    const [again] = (await scene.poll()).runs as [DequeuedRun];
    expect(again).toMatchObject({ runId: run.runId, attempt: 1, token: 2 });
    expect(again.resume?.journal).toMatchObject([
      { number: 0, kind: "step", result: { ok: true, output: "1" }, values },
      { number: 1, kind: "wait", result: { ok: true } },
    ]);
    expect(await scene.report({ started: again, completed: again })).toEqual(["ok", "ok"]);
    expect(await scene.run(run.runId)).toMatchObject({ status: "COMPLETED_SUCCESSFULLY", attempts: 1 });
  });

  it("keeps the values that were recorded during its wait, which are sent after the wait itself", async () => {
    const scene = await new Scene().deploy();
    const until = Date.now() + HOUR;
    const first = entry(0, { until, values: { now: [5] } });
    const grown = entry(0, { until, values: { now: [5], tail: { uuid: ["a"], after: [] } } });
    // An entry without values does not change them.
    const run = await suspended(scene, [first, grown, entry(0, { until })]);
    await timePasses(scene, run.runId);
    const [again] = (await scene.poll()).runs as [DequeuedRun];
    expect(again.resume?.journal[0]?.values).toEqual(grown.values);
  });

  it("resumes with the time that this attempt has used, which a new attempt does not", async () => {
    const scene = await new Scene().deploy();
    const first = await started(scene);
    const until = Date.now() + HOUR;
    await scene.report({ journal: { run: first, entries: [entry(0, { until })] } });
    await scene.report({ suspended: { run: first, waits: [0], usageMs: 40 } });
    await timePasses(scene, first.runId);
    const [second] = (await scene.poll()).runs as [DequeuedRun];
    expect(second.resume?.usedMs).toBe(40);
    const error = { type: "STRING_ERROR" as const, raw: "no" };
    await scene.report({ started: second });
    await scene.report({ completed: second, outcome: { type: "failure", error, retry: { delayMs: 0 } } });
    const [third] = (await scene.poll()).runs as [DequeuedRun];
    await scene.report({ started: third });
    await scene.report({ journal: { run: third, entries: [entry(0, { until })] } });
    await scene.report({ suspended: { run: third, waits: [0], usageMs: 7 } });
    await timePasses(scene, first.runId);
    const [fourth] = (await scene.poll()).runs as [DequeuedRun];
    expect(fourth).toMatchObject({ attempt: 2, resume: { usedMs: 7 } });
    expect((await scene.run(first.runId)).usageMs).toBe(47);
  });

  it("gets the same answer again when the answer to its suspension was lost", async () => {
    const scene = await new Scene().deploy();
    const run = await suspended(scene, [entry(0, { until: Date.now() + HOUR })]);
    expect(await scene.report({ suspended: { run, waits: [0] } })).toEqual([{ verdict: "suspended" }]);
    expect(await scene.report({ completed: run })).toEqual(["ok"]);
    expect((await scene.run(run.runId)).status).toBe("WAITING_ON_WAITPOINT");
  });

  it("is not suspended when an operation that it waits for has a result meanwhile", async () => {
    const scene = await new Scene().deploy();
    const run = await started(scene);
    const entries = [entry(0, { kind: "run", name: "child", target: "run_child" })];
    await scene.report({ journal: { run, entries } });
    const result = { ok: true as const, output: "7" };
    const completed = { runId: run.runId, attempt: 1, number: 0, result };
    expect(await scene.queue.completeOperation(scene.key, completed)).toBe("ok");
    expect((await scene.poll({ max: 0 })).notices).toEqual([
      { type: "operation", runId: run.runId, token: run.token, number: 0, result },
    ]);
    const [verdict] = await scene.report({ suspended: { run, waits: [0] } });
    expect(verdict).toEqual({ verdict: "resume", completed: [{ runId: run.runId, number: 0, result }] });
    expect((await scene.run(run.runId)).status).toBe("EXECUTING");
  });

  it("is woken once by many completions at one moment, and the first result of each is kept", async () => {
    const scene = await new Scene().deploy();
    const entries = Array.from({ length: 20 }, (_, n) =>
      entry(n, { kind: "run", name: "c", target: `run_${n}` }),
    );
    const run = await suspended(scene, entries);
    const complete = (number: number, output: string) =>
      scene.queue.completeOperation(scene.key, {
        runId: run.runId,
        attempt: 1,
        number,
        result: { ok: true, output },
      });
    await Promise.all(
      entries.flatMap(({ number }) => [complete(number, "first"), complete(number, "second")]),
    );
    const { runs } = await scene.poll();
    expect(runs).toHaveLength(1);
    const outputs = runs[0]?.resume?.journal.map(({ result }) => result?.ok && result.output);
    expect(outputs).toEqual(entries.map(() => "first"));
    expect((await scene.poll({ waitMs: 100 })).runs).toEqual([]);
  });

  it("offers its checkpoint until it is reported as started", async () => {
    const scene = await new Scene().deploy();
    const run = await started(scene);
    await scene.report({ journal: { run, entries: [entry(0, { until: Date.now() + HOUR })] } });
    const checkpoint = { id: "checkpoint-1", hostId: scene.hostId };
    await scene.report({ suspended: { run, waits: [0], checkpoint } });
    await timePasses(scene, run.runId);
    const [first] = (await scene.poll()).runs as [DequeuedRun];
    expect(first.resume?.checkpoint).toEqual(checkpoint);
    // The host that got it is lost before it has begun.
    await timePasses(scene, run.runId);
    const [second] = (await scene.poll()).runs as [DequeuedRun];
    expect(second).toMatchObject({ runId: run.runId, attempt: 1 });
    expect(second.resume?.checkpoint).toEqual(checkpoint);
    await scene.report({ started: second });
    await timePasses(scene, run.runId);
    const [third] = (await scene.poll()).runs as [DequeuedRun];
    expect(third).toMatchObject({ runId: run.runId, attempt: 1 });
    expect(third.resume?.checkpoint).toBeNull();
  });

  it("can be canceled, and its waiting children are canceled with it", async () => {
    const scene = await new Scene().deploy();
    const child = await scene.trigger({ delayUntil: Date.now() + HOUR });
    const run = await suspended(scene, [entry(0, { kind: "run", name: "task", target: child })]);
    await scene.queue.cancelRun(scene.key, run.runId, "enough");
    expect((await scene.run(run.runId)).status).toBe("CANCELED");
    await vi.waitFor(async () => expect((await scene.run(child)).status).toBe("CANCELED"));
  });
});

describe("an attempt with a journal", () => {
  it("resumes after the loss of its host, and starts from the beginning after a failure", async () => {
    const scene = await new Scene().deploy();
    const run = await started(scene);
    const result = { ok: true as const, output: "1" };
    await scene.report({ journal: { run, entries: [entry(0, { kind: "step", name: "a", result })] } });
    await timePasses(scene, run.runId);
    const [again] = (await scene.poll()).runs as [DequeuedRun];
    expect(again).toMatchObject({ attempt: 1, resume: { journal: [{ number: 0, result }] } });
    expect(await scene.report({ journal: { run, entries: [entry(1)] } })).toEqual(["stale"]);

    await scene.report({ started: again });
    const error = { type: "STRING_ERROR" as const, raw: "no" };
    const failure = { type: "failure" as const, error, retry: { delayMs: 0 } };
    await scene.report({ completed: again, outcome: failure });
    const [next] = (await scene.poll()).runs as [DequeuedRun];
    expect(next.attempt).toBe(2);
    expect(next.resume).toBeUndefined();
  });

  it("is kept when the object is evicted", async () => {
    const scene = await new Scene().deploy();
    const run = await suspended(scene, [entry(0, { until: Date.now() + HOUR })]);
    await evictDurableObject(scene.queueStub);
    await timePasses(scene, run.runId);
    expect((await scene.poll()).runs[0]?.resume?.journal).toHaveLength(1);
  });
});

describe("an operation that creates something", () => {
  it("creates one object, however often it is claimed, and none for an attempt that has ended", async () => {
    const scene = await new Scene().deploy();
    const run = await started(scene);
    const claim = (target: string, attempt = 1) =>
      scene.queue.claimOperation(scene.key, {
        runId: run.runId,
        attempt,
        number: 0,
        kind: "run",
        name: "task",
        target,
      });
    expect(await Promise.all([claim("run_a"), claim("run_b")])).toEqual([
      { target: "run_a", claimed: true },
      { target: "run_a", claimed: false },
    ]);
    expect(await claim("run_c", 2)).toMatchObject({ error: "stale" });
    expect(await scene.queue.claimOperation("another0", { ...CLAIM, runId: run.runId })).toMatchObject({
      error: "not_found",
    });
  });
});

const CLAIM = { attempt: 1, number: 0, kind: "run", name: "task", target: "run_a" } as const;

describe("a run that another waits for", () => {
  it.each(["completes", "fails", "is canceled", "had ended before"])("that %s notifies it", async (how) => {
    const scene = await new Scene().deploy();
    const { runId } = scene.item();
    const parent = await started(scene);
    const claim = { ...CLAIM, runId: parent.runId, target: runId };
    await scene.queue.claimOperation(scene.key, claim);
    const waiter: Waiter = { type: "operation", runId: parent.runId, attempt: 1, number: 0 };
    const before = how === "was over before";
    await scene.trigger({ runId, waiter: before ? undefined : waiter, maxAttempts: 1 });
    if (!before) await scene.report({ suspended: { run: parent, waits: [0] } });
    if (how === "is canceled") await scene.queue.cancelRun(scene.key, runId, "no more");
    else {
      const [child] = (await scene.poll()).runs as [DequeuedRun];
      expect(child.runId).toBe(runId);
      const error = { type: "STRING_ERROR" as const, raw: "broken" };
      const outcome = how === "fails" ? { type: "failure" as const, error } : undefined;
      await scene.report({ started: child, completed: child, outcome });
    }
    if (before) {
      await scene.report({ suspended: { run: parent, waits: [0] } });
      await scene.trigger({ runId, waiter });
    }
    await vi.waitFor(async () => {
      expect((await scene.run(parent.runId)).status).not.toBe("WAITING_ON_WAITPOINT");
    });
    const run = (await scene.poll({ waitMs: 2_000 })).runs.find((each) => each.runId === parent.runId);
    const [operation] = run?.resume?.journal ?? [];
    expect(operation?.result).toMatchObject(
      how === "fails"
        ? { ok: false, error: { type: "STRING_ERROR", raw: "broken" } }
        : how === "is canceled"
          ? { ok: false, error: { code: "TASK_RUN_CANCELED", message: "no more" } }
          : { ok: true, output: '"done"' },
    );
  });

  it("shares a queue whose limit is 1 with it", async () => {
    const scene = await new Scene().deploy();
    const runId = await scene.trigger({}, 1);
    const parent = (await scene.poll()).runs.find((run) => run.runId === runId) as DequeuedRun;
    await scene.report({ started: parent });
    const child = scene.item().runId;
    await scene.queue.claimOperation(scene.key, { ...CLAIM, runId, target: child });
    await scene.trigger({ runId: child, waiter: { type: "operation", runId, attempt: 1, number: 0 } }, 1);
    expect((await scene.poll({ waitMs: 100 })).runs).toEqual([]);
    await scene.report({ suspended: { run: parent, waits: [0] } });
    const [run] = (await scene.poll({ waitMs: 2_000 })).runs as [DequeuedRun];
    expect(run.runId).toBe(child);
    await scene.report({ started: run, completed: run });
    const [resumed] = (await scene.poll({ waitMs: 2_000 })).runs as [DequeuedRun];
    expect(resumed.runId).toBe(runId);
  });
});
