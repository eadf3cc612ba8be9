import { MAX_PARTITIONS } from "@acme/sdk/contract";
import { expect, it } from "vitest";
import { partitionOf, queueRef, refOfKey } from "../src/routing/partitions.ts";

const names = Array.from({ length: 10_000 }, (_, index) => `customer-${index}`);

it("spreads names evenly over any number of partitions", () => {
  for (const partitions of [1, 2, 4, 7, 8, MAX_PARTITIONS]) {
    const counts = Array<number>(partitions).fill(0);
    for (const name of names) counts[partitionOf(name, partitions)]! += 1;
    const fair = names.length / partitions;
    for (const count of counts) expect(Math.abs(count - fair)).toBeLessThan(5 * Math.sqrt(fair) + 1);
  }
});

it("moves only as many names as must be when the number changes, each to a new partition", () => {
  const moved = names.filter((name) => partitionOf(name, 4) !== partitionOf(name, 5));
  expect(moved.length / names.length).toBeCloseTo(1 / 5, 1);
  for (const name of moved) expect(partitionOf(name, 5)).toBe(4);
});

it("finds the queue that a key belongs to", () => {
  const environment = { key: "env00001" } as Parameters<typeof queueRef>[0];
  const named = { queues: ["mail"], task: "send" };
  for (const ref of [queueRef(environment, "mail", 63), queueRef(environment, "task/send", 5)])
    expect(refOfKey(environment, ref.queueKey, named)).toEqual(ref);
  expect(refOfKey(environment, "env00001nowhere000", named)).toMatchObject({ queue: "task/send" });
});
