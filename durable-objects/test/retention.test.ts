import { DEFAULTS } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import { cancelRun } from "../src/queue/cancel.ts";
import { claimKey } from "../src/queue/idempotency.ts";
import { enqueueRuns } from "../src/routing/enqueue.ts";
import { queueRef } from "../src/routing/partitions.ts";
import { type CoreScene, withCore } from "./core-scene.ts";
import { bindings, Scene } from "./scene.ts";

const DAY_MS = 24 * 3_600_000;
const KEY_DAYS = 90;

const keyOf = (scene: CoreScene, days = KEY_DAYS) => ({
  key: "k",
  expiresAt: scene.now + days * DAY_MS,
  claim: true,
});

const ENDINGS: [how: string, end: (scene: CoreScene, runId: string) => void][] = [
  ["succeeded", (scene) => void scene.complete(scene.dequeue()[0]!)],
  [
    "failed",
    (scene) =>
      void scene.complete(scene.dequeue()[0]!, {
        type: "failure",
        error: { type: "STRING_ERROR", raw: "no" },
        retry: null,
      }),
  ],
  [
    "was canceled before it started",
    (scene, runId) => void scene.commit((q) => cancelRun(q, runId, "no", { children: false })),
  ],
  [
    "was canceled while it executed",
    (scene, runId) => {
      const [run] = scene.dequeue();
      scene.commit((q) => cancelRun(q, runId, "no", { children: false }));
      scene.complete(run!, { type: "canceled" });
    },
  ],
];

describe("an idempotency key that is valid for longer than runs are kept", () => {
  it.each(ENDINGS)("keeps the run that %s until it expires, and executes nothing again", (_, end) =>
    withCore((scene) => {
      const { runId } = scene.trigger({ idempotency: keyOf(scene) });
      end(scene, runId);
      const before = scene.run(runId);
      for (let days = 0; days < KEY_DAYS - 1; days += 20) {
        scene.passes(20 * DAY_MS);
        const again = scene.trigger({ idempotency: keyOf(scene) });
        if (days + 20 < KEY_DAYS) expect(again).toMatchObject({ runId, cached: true });
        else expect(again.runId).not.toBe(runId);
      }
      expect(before?.completedAt).not.toBeNull();
      scene.passes(0);
      expect(scene.run(runId)).toBeNull();
    }),
  );

  it("keeps the run even if the claimant of the key died, and the run's creator asks for less", () =>
    withCore((scene) => {
      // The claim is for 90 days. The trigger that creates the run names one day, which does not change the claim.
      const first = scene.item();
      const { key, expiresAt } = keyOf(scene);
      scene.commit((q) => claimKey(q, { task: "task", key, expiresAt, runId: first.runId }));
      const { runId } = scene.trigger({ idempotency: keyOf(scene, 1) });
      expect(runId).toBe(first.runId);
      scene.complete(scene.dequeue()[0]!);
      scene.passes(60 * DAY_MS);
      expect(scene.trigger({ idempotency: keyOf(scene) })).toMatchObject({ runId, cached: true });
      expect(scene.dequeue()).toEqual([]);
    }));

  it("keeps the debounced run that it came to stand for", () =>
    withCore((scene) => {
      const debounce = { key: "d", until: scene.now + 1_000, trailing: false, claim: true };
      const { runId } = scene.trigger({ delayUntil: scene.now + 1_000, debounce });
      const pushed = scene.trigger({ delayUntil: scene.now + 1_000, debounce, idempotency: keyOf(scene) });
      expect(pushed.runId).toBe(runId);
      scene.passes(1_000);
      scene.complete(scene.dequeue()[0]!);
      scene.passes(60 * DAY_MS);
      expect(scene.trigger({ idempotency: keyOf(scene) })).toMatchObject({ runId, cached: true });
      expect(scene.dequeue()).toEqual([]);
    }));
});

it("a run without a key is deleted when its retention has passed, with all rows that belong to it", () =>
  withCore((scene) => {
    const { runId } = scene.trigger({ metadata: '{"a":1}' });
    scene.complete(scene.dequeue()[0]!);
    scene.passes(DEFAULTS.retentionMs - 1);
    expect(scene.run(runId)).not.toBeNull();
    scene.passes(1);
    expect(scene.run(runId)).toBeNull();
    for (const table of [
      "runs",
      "payloads",
      "outputs",
      "metadata",
      "attempts",
      "events",
      "journal",
      "waiters",
    ])
      expect(scene.core.context.sql.exec(`SELECT * FROM ${table}`)).toEqual([]);
  }));

it("a key that stands for a run in another queue does so also for a trigger that is debounced", async () => {
  const scene = await new Scene().deploy();
  const other = queueRef(scene.ref.environment, "other");
  const idempotency = { key: "k", expiresAt: Date.now() + DAY_MS, claim: true };
  const queueOf = (key: string) => bindings.QUEUE.getByName(key);
  const [first] = await enqueueRuns(queueOf, {
    target: other,
    declaration: {},
    items: [{ ...scene.another("other").item(), idempotency }],
  });
  const until = Date.now() + 60_000;
  const debounce = { key: "d", until, trailing: false, claim: true };
  const [second] = await enqueueRuns(queueOf, {
    target: scene.ref,
    declaration: {},
    items: [{ ...scene.item(), idempotency, debounce, delayUntil: until }],
  });
  expect(second).toMatchObject({ runId: first?.runId, cached: true });
});
