import type { QueueRef, TriggerItem, TriggerResult } from "@acme/durable-objects/rpc";
import { describe, expect, it } from "vitest";
import { GatheredCalls } from "../src/runs/gathered-calls.ts";

const queue = (queueKey: string): QueueRef => ({
  environment: {
    key: "environment",
    id: "env_1",
    slug: "prod",
    type: "PRODUCTION",
    project: { id: "project_1", ref: "proj_1", name: "Project" },
    organization: { id: "org_1", slug: "org", name: "Org" },
  },
  queue: "task/hello",
  queueKey,
  partition: 0,
});

const item = (runId: string, more: Partial<TriggerItem> = {}): TriggerItem => ({
  runId,
  task: "hello",
  payload: "{}",
  payloadType: "application/json",
  tags: [],
  priorityMs: 0,
  machine: "small-1x",
  isTest: false,
  known: true,
  depth: 0,
  ...more,
});

/** A queue that answers when it is let, and that creates nothing of a call with a run named `poison`. */
function heldQueue() {
  const received: string[][] = [];
  const held: (() => void)[] = [];
  let open = false;
  return {
    received,
    async send(target: QueueRef, _declaration: object, items: TriggerItem[]): Promise<TriggerResult[]> {
      received.push(items.map(({ runId }) => `${target.queueKey}/${runId}`));
      if (!open) await new Promise<void>((resolve) => held.push(resolve));
      if (items.some(({ runId }) => runId === "poison")) throw new Error("The queue can't store this run");
      return items.map(({ runId }) => ({ runId, cached: false }));
    },
    answer() {
      open = true;
      for (const resolve of held) resolve();
    },
  };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await scheduler.wait(1);
};

describe("triggers that reach an isolate at one moment", () => {
  it("are sent in one call while another one is under way, and each gets its own result", async () => {
    const { received, send, answer } = heldQueue();
    const calls = new GatheredCalls();
    const first = calls.send(send, queue("a"), {}, item("first"));
    const others = ["b", "c", "d"].map((id) => calls.send(send, queue("a"), {}, item(id)));
    await until(() => received.length === 2);
    answer();
    expect(received).toEqual([["a/first"], ["a/b", "a/c", "a/d"]]);
    expect((await Promise.all([first, ...others])).map(({ runId }) => runId)).toEqual([
      "first",
      "b",
      "c",
      "d",
    ]);
    // The one that is alone again waits for nobody.
    await calls.send(send, queue("a"), {}, item("last"));
    expect(received.at(-1)).toEqual(["a/last"]);
  });

  it("stay apart by queue and by promotion, and where one waits for its run or is large", async () => {
    const { received, send, answer } = heldQueue();
    const calls = new GatheredCalls();
    const all = [
      calls.send(send, queue("a"), { promotion: 1 }, item("a1")),
      calls.send(send, queue("b"), { promotion: 1 }, item("b1")),
      calls.send(send, queue("a"), { promotion: 2 }, item("a2")),
      calls.send(send, queue("a"), { promotion: 1 }, item("waits", { waitMs: 1_000 })),
      calls.send(send, queue("a"), { promotion: 1 }, item("large", { payload: "x".repeat(20_000) })),
    ];
    await until(() => received.length === all.length);
    answer();
    expect(received).toEqual([["a/a1"], ["b/b1"], ["a/a2"], ["a/waits"], ["a/large"]]);
    await Promise.all(all);
  });

  it("are sent one by one where their call fails: one that can't be stored fails alone", async () => {
    const { received, send, answer } = heldQueue();
    const calls = new GatheredCalls();
    const first = calls.send(send, queue("a"), {}, item("first"));
    const others = ["poison", "c", "d"].map((id) => calls.send(send, queue("a"), {}, item(id)));
    const settled = Promise.allSettled([first, ...others]);
    await until(() => received.length === 2);
    answer();
    expect((await settled).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect(received.slice(2).toSorted()).toEqual([["a/c"], ["a/d"], ["a/poison"]]);
  });
});
