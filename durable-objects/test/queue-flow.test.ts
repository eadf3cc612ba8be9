import { expect, it } from "vitest";
import { NamedLimits } from "../src/environment/named-limits.ts";
import { type Grant, QueueFlow } from "../src/environment/queue-flow.ts";
import type { QueueState } from "../src/rpc.ts";

const NOTHING: QueueState = {
  queueKey: "a",
  queue: "a",
  partition: 0,
  seq: 1,
  held: 0,
  prefetched: 0,
  ready: 0,
  unkeyed: { held: 0, prefetched: 0, ready: 0 },
  keyed: 0,
  open: 0,
  recoversAt: 0,
  partitions: 1,
  misplacedKeys: false,
  parked: false,
  promotion: 1,
  revision: 0,
};

/** What another queue reports while its run holds the only slot of the key. */
const HELD = { one: { held: 1, ready: 0, queued: 0, keys: { k: 1 } } };

function scene() {
  const named = new NamedLimits({
    sql: { exec: () => [], transaction: (work) => work() },
    now: () => 0,
    declared: () => new Map([["one", { name: "one", perKey: 1 }]]),
    environmentLimit: () => 100,
  });
  const flow = new QueueFlow("a", named);
  const limits = { one: { held: 0, ready: 1, queued: 1, keys: {} } };
  const state = { ...NOTHING, ready: 1, unkeyed: { held: 0, prefetched: 0, ready: 1 }, limits };
  flow.partitions.set("a", { flow, state, inflight: { all: 0, unkeyed: 0 }, active: true, usedAt: 0 });
  named.reported(undefined, limits);
  named.reported(undefined, HELD);
  const ready = (): number => flow.ready(100, 0);
  return {
    named,
    ready,
    take(): Grant {
      ready();
      return flow.take(1, 0)[0] as Grant;
    },
    leasedNothing(grant: Grant): void {
      flow.settle(grant, 0, 0);
      named.settled(grant.limits);
      flow.wasFruitless(grant);
    },
  };
}

it("a queue that leased nothing, because another holds its key, is not asked again until there is more", () => {
  const { leasedNothing, named, ready, take } = scene();
  leasedNothing(take());
  expect(ready()).toBe(0);
  named.reported(HELD, {});
  expect(ready()).toBe(1);
});

it("a queue that leased nothing is asked again if the slot of its key became free before its answer came", () => {
  const { leasedNothing, named, ready, take } = scene();
  const grant = take();
  named.reported(HELD, {});
  leasedNothing(grant);
  expect(ready()).toBe(1);
});
