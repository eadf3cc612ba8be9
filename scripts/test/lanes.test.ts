import { expect, it } from "vitest";
import { runInLanes } from "./lanes.ts";

interface Step {
  name: string;
  seconds: number;
  uses?: string;
}

/** Runs jobs whose ends the test decides; returns what started, in order. */
function scene(jobs: Step[], lanes: number) {
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const all = runInLanes(jobs, lanes, ({ name }) => {
    started.push(name);
    const end = Promise.withResolvers<void>();
    ends.set(name, end);
    return end.promise;
  });
  const end = async (name: string) => {
    ends.get(name)?.resolve();
    await new Promise(setImmediate);
  };
  return { all, end, ends, started };
}

it("starts the longest jobs first, as many at a time as there are lanes", async () => {
  const { all, end, started } = scene(
    [
      { name: "short", seconds: 1 },
      { name: "long", seconds: 9 },
      { name: "middle", seconds: 5 },
    ],
    2,
  );
  expect(started).toEqual(["long", "middle"]);
  await end("middle");
  expect(started).toEqual(["long", "middle", "short"]);
  await end("long");
  await end("short");
  await all;
});

it("keeps jobs apart that use the same thing, and fills the lane with another", async () => {
  const { all, end, started } = scene(
    [
      { name: "a", seconds: 9, uses: "engine" },
      { name: "b", seconds: 8, uses: "engine" },
      { name: "c", seconds: 1 },
    ],
    2,
  );
  expect(started).toEqual(["a", "c"]);
  await end("c");
  expect(started).toEqual(["a", "c"]);
  await end("a");
  expect(started).toEqual(["a", "c", "b"]);
  await end("b");
  await all;
});

it("rejects with the error of a job that could not be run", async () => {
  const { all, ends } = scene([{ name: "a", seconds: 1 }], 2);
  ends.get("a")?.reject(new Error("no such program"));
  await expect(all).rejects.toThrow("no such program");
});
