import { describe, expect, it } from "vitest";
import { checkedKey } from "../../src/storage/blob-key.ts";
import { jsonChunks, newestOfEach, storableJson } from "../../src/storage/projected-rows.ts";
import { branchesOf } from "../../src/storage/run-filter.ts";
import { listingOf, startOf } from "../../src/storage/run-pages.ts";
import { aRun } from "./a-run.ts";

const environmentKey = "env00001";

describe("branchesOf", () => {
  it("returns one branch with all runs for an empty filter", () => {
    expect(branchesOf({})).toEqual([{}]);
  });

  it("returns no branches when a list is empty", () => {
    expect(branchesOf({ machines: [], tags: ["a"] })).toEqual([]);
  });

  it("prefers tags, then statuses without successes, then tasks", () => {
    const filter = { tasks: ["t"], statuses: ["PENDING" as const, "PENDING" as const] };
    expect(branchesOf({ ...filter, tags: ["a", "b", "a"] })).toEqual([{ tags: ["a", "b"] }]);
    expect(branchesOf(filter)).toEqual([{ status: "PENDING" }]);
    expect(branchesOf({ ...filter, statuses: ["PENDING", "COMPLETED_SUCCESSFULLY"] })).toEqual([
      { task: "t" },
    ]);
  });

  it("walks all runs rather than merge many lists", () => {
    expect(branchesOf({ tasks: Array.from({ length: 17 }, (_, i) => `task-${i}`) })).toEqual([{}]);
  });
});

describe("startOf", () => {
  const run = aRun(environmentKey);

  it("takes a run's place from its id", () => {
    const anchor = { id: run.id, environmentKey, createdAt: run.createdAt };
    expect(startOf([environmentKey], { limit: 1, after: run.id })).toEqual({ backwards: false, anchor });
    expect(startOf([environmentKey], { limit: 1, before: run.id })).toEqual({ backwards: true, anchor });
  });

  it("refuses what isn't a run of the environment", () => {
    expect(startOf(["env00002"], { limit: 1, after: run.id })).toBeNull();
    expect(startOf([environmentKey], { limit: 1, before: "run_" })).toBeNull();
  });
});

describe("listingOf", () => {
  const [old, middle, recent] = [aRun(environmentKey), aRun(environmentKey), aRun(environmentKey)];
  const anchor = { id: "run_x", environmentKey, createdAt: 1 };

  it("merges branches, each run once, newest first", () => {
    const listing = listingOf(
      [
        [recent, old],
        [middle, old],
      ],
      5,
      { backwards: false, anchor: null },
    );
    expect(listing).toEqual({ runs: [recent, middle, old], next: null, previous: null });
  });

  it("says where the next page begins when a row is left over", () => {
    const listing = listingOf([[recent, middle, old]], 2, { backwards: false, anchor: null });
    expect(listing).toEqual({ runs: [recent, middle], next: middle.id, previous: null });
  });

  it("going back, keeps the rows next to the anchor and says that there are more before", () => {
    const listing = listingOf([[old, middle, recent]], 2, { backwards: true, anchor });
    expect(listing).toEqual({ runs: [middle, old], next: old.id, previous: middle.id });
  });
});

describe("rows of a projection", () => {
  it("are the newest of each run, in order of ids", () => {
    const [a, b] = [aRun(environmentKey), aRun(environmentKey)].sort((x, y) => (x.id < y.id ? -1 : 1));
    if (!a || !b) throw new Error("no runs");
    expect(newestOfEach([b, { ...a, version: 2 }, { ...b, version: 3 }, a])).toEqual([
      { ...a, version: 2 },
      { ...b, version: 3 },
    ]);
  });
});

describe("storableJson", () => {
  it.each([
    ["zero", "a\0b", "a\ufffdb"],
    ["half a pair", "\ud83d", "\ufffd"],
    ["what looks like zero", "\\u0000", "\\u0000"],
    ["what is fine", "😀 \u0001", "😀 \u0001"],
  ])("handles %s", (_what, given, expected) => {
    expect(JSON.parse(storableJson([given]))).toEqual([expected]);
  });
});

describe("jsonChunks", () => {
  it("is nothing for nothing", () => {
    expect(jsonChunks([])).toEqual([]);
  });

  it("has all items in order, in parts that fit", () => {
    const items = Array.from({ length: 9 }, (_, i) => `${i}`.repeat(100_000));
    const chunks = jsonChunks(items);
    expect(chunks.flatMap((chunk) => JSON.parse(chunk) as string[])).toEqual(items);
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(600_000);
  });

  it("leaves one item that is too long alone", () => {
    expect(jsonChunks(["x".repeat(700_000), "y"])).toHaveLength(2);
  });
});

describe("checkedKey", () => {
  it("takes the keys in use", () => {
    const bundle = `bundles/${"0".repeat(64)}`;
    expect(checkedKey(bundle)).toBe(bundle);
    expect(checkedKey("packets/env00001/packet_abc.json")).toBe("packets/env00001/packet_abc.json");
  });

  it("refuses one that is too long", () => {
    expect(() => checkedKey("x".repeat(513))).toThrow("can't be the key of a blob");
  });
});
