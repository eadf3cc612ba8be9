import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { newRunId } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import { enqueueRuns } from "../src/routing/enqueue.ts";
import type { TriggerItem, TriggerResult } from "../src/rpc.ts";
import { bindings, Scene } from "./scene.ts";

const MINUTE = 60_000;

const queueOf = (queueKey: string) => bindings.QUEUE.getByName(queueKey);

type Debounce = NonNullable<TriggerItem["debounce"]>;

/** Triggers as the Worker does: into the scene's queue, while the task's queue holds the keys. */
async function trigger(
  scene: Scene,
  payload: string,
  debounce: Partial<Debounce> & { delayMs?: number } = {},
  changes: Partial<TriggerItem> = {},
): Promise<TriggerResult> {
  const { delayMs = MINUTE, ...more } = debounce;
  const until = Date.now() + delayMs;
  const item = scene.item({
    payload,
    delayUntil: until,
    debounce: { key: "k", until, trailing: false, claim: true, ...more },
    ...changes,
  });
  const [result] = await enqueueRuns(queueOf, { target: scene.ref, declaration: {}, items: [item] });
  return result as TriggerResult;
}

/** The run's delay has passed. */
async function start(scene: Scene, runId: string): Promise<void> {
  await runInDurableObject(scene.queueStub, (_, state) => {
    state.storage.sql.exec("UPDATE runs SET due_at = 1 WHERE id = ?", runId);
  });
  await runDurableObjectAlarm(scene.queueStub);
  expect((await scene.run(runId)).status).toBe("PENDING");
}

describe("debounced triggers", () => {
  it("become one run, which each of them moves, with the payload of the first", async () => {
    const scene = new Scene();
    const first = await trigger(scene, '"first"');
    const before = await scene.run(first.runId);
    const second = await trigger(scene, '"second"', { delayMs: 2 * MINUTE });
    expect(second).toEqual({ runId: first.runId, cached: true });
    const run = await scene.run(first.runId);
    expect(run).toMatchObject({ status: "DELAYED", payload: '"first"' });
    expect((run.delayUntil ?? 0) - (before.delayUntil ?? 0)).toBeGreaterThanOrEqual(MINUTE - 1);
    // A shorter delay never makes it start earlier.
    await trigger(scene, '"third"', { delayMs: 1_000 });
    expect((await scene.run(first.runId)).delayUntil).toBe(run.delayUntil);
  });

  it("in trailing mode use the values of the last one, and keep those that it does not set", async () => {
    const scene = new Scene();
    const said = { tags: ["one"], metadata: '{"n":1}', maxAttempts: 2, maxDuration: 10 };
    const { runId } = await trigger(scene, '"first"', { trailing: true }, said);
    await trigger(
      scene,
      '"last"',
      { trailing: true },
      { tags: ["two"], maxAttempts: 5, machine: "large-1x" },
    );
    expect(await scene.run(runId)).toMatchObject({
      payload: '"last"',
      tags: ["two"],
      metadata: '{"n":1}',
      maxAttempts: 5,
      maxDuration: 10,
      machine: "large-1x",
    });
  });

  it("create a new run once the earlier one waits for a slot", async () => {
    const scene = new Scene();
    const { runId } = await trigger(scene, '"first"');
    await start(scene, runId);
    const next = await trigger(scene, '"second"');
    expect(next.cached).toBe(false);
    expect(next.runId).not.toBe(runId);
    expect(await trigger(scene, '"third"')).toEqual({ runId: next.runId, cached: true });
  });

  it("create a new run when the earlier one has waited for the maximum time", async () => {
    const scene = new Scene();
    const { runId } = await trigger(scene, '"first"', { maxDelayMs: 90_000 });
    const before = await scene.run(runId);
    const next = await trigger(scene, '"second"', { delayMs: 2 * MINUTE, maxDelayMs: 90_000 });
    expect(next.runId).not.toBe(runId);
    expect((await scene.run(runId)).delayUntil).toBe(before.delayUntil);
  });

  it("are distinguished by key and by task", async () => {
    const scene = new Scene();
    const ids = [
      await trigger(scene, "1"),
      await trigger(scene, "1", { key: "other" }),
      await trigger(scene.another("shared"), "1", {}, { task: "another-task" }),
    ];
    expect(new Set(ids.map(({ runId }) => runId)).size).toBe(3);
  });

  it("that race in several queues are one run, also when an object dies meanwhile", async () => {
    const scene = new Scene();
    const scenes = [scene, scene.another("one"), scene.another("two")];
    const racing = Array.from({ length: 24 }, (_, n) => trigger(scenes[n % 3] as Scene, `${n}`));
    const results = await Promise.all(racing);
    const ids = new Set(results.map(({ runId }) => runId));
    expect(ids.size).toBe(1);
    expect(results.filter(({ cached }) => !cached).length).toBeLessThanOrEqual(1);
    await evictDurableObject(scene.queueStub);
    const again = await Promise.all(scenes.map((one) => trigger(one, '"again"')));
    for (const { runId } of again) expect(ids).toContain(runId);
    const created = await Promise.all(scenes.map((one) => one.queue.queueStats(one.key)));
    expect(created.reduce((sum, stats) => sum + (stats?.notYetQueued ?? 0), 0)).toBe(1);
  });

  it("that race for the run after a finished one are one run, in any queue", async () => {
    const scene = new Scene();
    const other = scene.another("other");
    const { runId } = await trigger(other, '"first"');
    await start(other, runId);
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, n) => trigger(n % 2 ? scene : other, `${n}`)),
    );
    const ids = new Set(results.map((result) => result.runId));
    expect(ids.size).toBe(1);
    expect(ids).not.toContain(runId);
  });

  it("whose run was claimed by a trigger that died are that run", async () => {
    const scene = new Scene();
    const runId = newRunId(scene.ref.queueKey);
    const until = Date.now() + MINUTE;
    await scene.queue.claimDebounceKey(scene.ref, { task: "task", key: "k", runId, until });
    expect((await trigger(scene, '"here"')).runId).toBe(runId);
    expect(await scene.run(runId)).toMatchObject({ status: "DELAYED", payload: '"here"' });
  });

  it("with an idempotency key: the key refers to the run that they became part of", async () => {
    const scene = new Scene();
    for (const one of [scene, scene.another("other")]) {
      const { runId } = await trigger(scene, '"first"');
      const key = `key of ${one.ref.queue}`;
      const idempotency = { key, expiresAt: Date.now() + MINUTE, claim: true };
      expect((await trigger(one, '"second"', {}, { idempotency })).runId).toBe(runId);
      const sent = await trigger(one, '"third"', { key: "another key" }, { idempotency });
      expect(sent).toEqual({ runId, cached: true });
    }
  });

  it("keep the place and the ttl of a delayed run: the ttl counts from when it waits for a slot", async () => {
    const scene = new Scene();
    const { runId } = await trigger(scene, '"first"', {}, { ttlMs: 1_000 });
    await start(scene, runId);
    await runInDurableObject(scene.queueStub, (_, state) => {
      state.storage.sql.exec("UPDATE runs SET ttl_at = 1 WHERE ttl_at IS NOT NULL");
    });
    await runDurableObjectAlarm(scene.queueStub);
    expect((await scene.run(runId)).status).toBe("EXPIRED");
  });

  it("forget their keys when the run's time has come", async () => {
    const scene = new Scene();
    await trigger(scene, '"first"');
    await runInDurableObject(scene.queueStub, (_, state) => {
      state.storage.sql.exec("UPDATE debounces SET expires_at = 1");
    });
    await runDurableObjectAlarm(scene.queueStub);
    const left = await runInDurableObject(scene.queueStub, (_, state) =>
      state.storage.sql.exec("SELECT count(*) AS n FROM debounces").one(),
    );
    expect(left).toEqual({ n: 0 });
  });
});
