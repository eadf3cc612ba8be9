import { expect, it } from "vitest";
import { runJobs } from "./schedule.ts";

interface Step {
  name: string;
  seconds: number;
  processors: number;
  interfaces?: "changed" | "watched";
}

/** Runs jobs whose ends the test decides; returns what started, in order. */
function scene(jobs: Step[], processors: number) {
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const all = runJobs(jobs, processors, ({ name }) => {
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

it("starts the longest jobs first, as many at a time as there are processors", async () => {
  const { all, end, started } = scene(
    [
      { name: "short", seconds: 1, processors: 1 },
      { name: "long", seconds: 9, processors: 1 },
      { name: "middle", seconds: 5, processors: 1 },
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

it("runs jobs that mostly wait in parallel with jobs that keep a processor busy", async () => {
  const { all, end, started } = scene(
    [
      { name: "waits", seconds: 9, processors: 0.3 },
      { name: "also waits", seconds: 8, processors: 0.3 },
      { name: "works", seconds: 7, processors: 1 },
      { name: "works too", seconds: 6, processors: 1 },
      { name: "waits most", seconds: 5, processors: 0.2 },
    ],
    2,
  );
  expect(started).toEqual(["waits", "also waits", "works", "waits most"]);
  await end("waits most");
  expect(started).not.toContain("works too");
  await end("waits");
  expect(started.at(-1)).toBe("works too");
  for (const name of ["also waits", "works", "works too"]) await end(name);
  await all;
});

it("runs a job that can use several processors when one is free, and then starts nothing else", async () => {
  const { all, end, started } = scene(
    [
      { name: "one", seconds: 9, processors: 1 },
      { name: "many threads", seconds: 8, processors: 3 },
      { name: "small", seconds: 1, processors: 0.1 },
    ],
    2,
  );
  expect(started).toEqual(["one", "many threads"]);
  await end("one");
  expect(started).toEqual(["one", "many threads"]);
  await end("many threads");
  expect(started.at(-1)).toBe("small");
  await end("small");
  await all;
});

it("runs no more jobs at a time than fit into memory, however little they do", async () => {
  const jobs = Array.from({ length: 9 }, (_, n) => ({ name: String(n), seconds: 1, processors: 0 }));
  const { all, end, started } = scene(jobs, 2);
  expect(started).toHaveLength(6);
  for (const { name } of jobs) await end(name);
  expect(started).toHaveLength(9);
  await all;
});

it("keeps browsers apart from containers, which add and remove interfaces", async () => {
  const { all, end, started } = scene(
    [
      { name: "containers", seconds: 9, processors: 0.1, interfaces: "changed" },
      { name: "browser", seconds: 8, processors: 0.1, interfaces: "watched" },
      { name: "more containers", seconds: 7, processors: 0.1, interfaces: "changed" },
      { name: "neither", seconds: 6, processors: 0.1 },
      { name: "other browser", seconds: 5, processors: 0.1, interfaces: "watched" },
    ],
    2,
  );
  expect(started).toEqual(["containers", "more containers", "neither"]);
  await end("containers");
  expect(started).toHaveLength(3);
  await end("more containers");
  expect(started.slice(3)).toEqual(["browser", "other browser"]);
  for (const name of ["browser", "other browser", "neither"]) await end(name);
  await all;
});

it("rejects with the error of a job that could not be run", async () => {
  const { all, ends } = scene([{ name: "a", seconds: 1, processors: 1 }], 2);
  ends.get("a")?.reject(new Error("no such program"));
  await expect(all).rejects.toThrow("no such program");
});
