import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { Indexer, indexBundle } from "../src/runtime/index.ts";
import { bundleFixture, folder, source } from "./support/bundle.ts";

/** Writes a bundle that is plain JavaScript and indexes it. */
async function index(code: string, timeoutMs?: number) {
  const bundle = join(folder(), "bundle.mjs");
  const sdk = JSON.stringify(source("index.ts"));
  const more = JSON.stringify(source("define/bundle.ts"));
  await writeFile(
    bundle,
    `import { task, schemaTask, schedules, queue, concurrencyLimit } from ${sdk};\nimport { registerFile, registerConfig } from ${more};\n${code}`,
  );
  return indexBundle({ bundle, timeoutMs });
}
const run = "run: async () => {}";

describe("a bundle's manifest", () => {
  test("has tasks with file, export, queue, retry, machine, limits and schema, and the declared queues", async () => {
    const result = await indexBundle({ bundle: await bundleFixture("project/entry.ts") });
    expect(result).toEqual({
      output: "",
      manifest: {
        tasks: [
          {
            id: "first",
            filePath: "src/first.ts",
            exportName: "first",
            description: "The first",
            queue: { name: "shared", concurrencyLimit: 3 },
            retry: { maxAttempts: 5 },
            machine: "medium-1x",
            maxDuration: 60,
            ttlMs: 600_000,
          },
          {
            id: "hidden",
            filePath: "src/first.ts",
            queue: { concurrencyLimit: 2 },
            machine: "micro",
            maxDuration: 300,
          },
          {
            id: "second",
            filePath: "src/second.ts",
            exportName: "default",
            queue: { name: "inline", concurrencyLimit: 4 },
            machine: "micro",
            maxDuration: 300,
            payloadSchema: expect.objectContaining({ type: "object", required: ["n"] }),
          },
        ],
        queues: [
          { name: "shared", concurrencyLimit: 3 },
          { name: "inline", concurrencyLimit: 4 },
        ],
        retry: { maxAttempts: 7 },
        runtime: "node",
        sdkVersion: "0.1.0",
      },
    });
  });

  test("a task known by registerFile alone", async () => {
    const result = await index(`const a = task({ id: "a", ${run} }); registerFile("src/a.ts", { b: 1, a });`);
    expect(result).toMatchObject({
      manifest: { tasks: [{ id: "a", filePath: "src/a.ts", exportName: "a" }] },
    });
  });
});

describe("scheduled tasks", () => {
  test("declare when they run, in which zone and environments", async () => {
    const cron = `{ pattern: "0 3 * * *", timezone: "Europe/Paris", window: "30%", environments: ["PRODUCTION"] }`;
    const { manifest } = (await index(
      `schedules.task({ id: "short", cron: "0 * * * *", ${run} }); schedules.task({ id: "long", cron: ${cron}, ${run} });
       schedules.task({ id: "attached", ${run} }); task({ id: "plain", ${run} });`,
    )) as { manifest: { tasks: object[] } };
    const scheduled = { filePath: "", triggerSource: "schedule" };
    expect(manifest.tasks).toEqual([
      { ...scheduled, id: "short", schedule: { cron: "0 * * * *", timezone: "UTC" } },
      {
        ...scheduled,
        id: "long",
        schedule: {
          cron: "0 3 * * *",
          timezone: "Europe/Paris",
          window: "30%",
          environments: ["PRODUCTION"],
        },
      },
      { ...scheduled, id: "attached" },
      { id: "plain", filePath: "" },
    ]);
  });

  test("with an invalid window are refused", async () => {
    expect(
      await index(`schedules.task({ id: "a", cron: { pattern: "@daily", window: "25h" }, ${run} });`),
    ).toMatchObject({
      problem: {
        code: "INVALID_TASK",
        message: expect.stringMatching(
          /^Task "a" in the bundle: schedule\.window: Give whole minutes or hours/,
        ),
      },
    });
  });
});

describe("problems", () => {
  test("code that throws while it is loaded, with the place in the source", async () => {
    const result = await indexBundle({ bundle: await bundleFixture("broken.ts") });
    expect(result).toMatchObject({
      problem: {
        code: "IMPORT_FAILED",
        message: expect.stringContaining(
          "The project's code could not be loaded: TypeError: Cannot read properties",
        ),
        stackTrace: expect.stringContaining("fixtures/broken.ts:5"),
      },
    });
  });

  test("no tasks", async () => {
    expect(await index("")).toMatchObject({
      problem: {
        code: "NO_TASKS",
        message: expect.stringContaining("No tasks were found. Export at least one"),
      },
    });
  });

  test("an id that is used twice, with both places", async () => {
    const code = `const a = task({ id: "same", ${run} }); const b = task({ id: "same", ${run} });
      registerFile("src/a.ts", { a }); registerFile("src/b.ts", { b });`;
    expect(await index(code)).toMatchObject({
      problem: {
        code: "DUPLICATE_TASK",
        message:
          'The task id "same" is declared twice: in src/a.ts (export a) and in src/b.ts (export b). Task ids have to be unique in a project',
      },
    });
  });

  test("limits of queues and tasks, with periods in milliseconds", async () => {
    const code = `
      queue({ name: "q", rateLimit: { limit: 5, period: "1m" }, totalConcurrencyLimit: 9, partitions: 4 });
      registerFile("src/a.ts", {
        a: task({ id: "a", concurrency: { perKey: 2, total: 4 }, ${run} }),
        b: task({ id: "b", queue: { rateLimitPerKey: { limit: 1, period: 500, burst: 2 } }, ${run} }),
      });`;
    const { manifest } = (await index(code)) as {
      manifest: { tasks: { queue: object }[]; queues: object[] };
    };
    expect(manifest.queues).toEqual([
      { name: "q", rateLimit: { limit: 5, period: 60_000 }, totalConcurrencyLimit: 9, partitions: 4 },
    ]);
    expect(manifest.tasks.map((task) => task.queue)).toEqual([
      { concurrencyLimit: 2, totalConcurrencyLimit: 4 },
      { rateLimitPerKey: { limit: 1, period: 500, burst: 2 } },
    ]);
  });

  test("concurrency limits that tasks share, and those of tasks in a shared queue", async () => {
    const code = `
      const openai = concurrencyLimit({ name: "openai", total: 25 });
      registerFile("src/a.ts", {
        a: task({ id: "a", concurrency: [{ total: 5 }, openai, { name: "inline", perKey: 2 }], ${run} }),
        b: task({ id: "b", concurrency: "openai", queue: "q", ${run} }),
        c: task({ id: "c, d", concurrency: { perKey: 1 }, queue: { name: "q" }, ${run} }),
      });`;
    const { manifest } = (await index(code)) as {
      manifest: { tasks: { queue?: object; limits?: string[] }[]; limits: object[] };
    };
    expect(manifest.limits).toEqual([
      { name: "openai", total: 25 },
      { name: "inline", perKey: 2 },
      { name: "task/c%2C%20d", perKey: 1 },
    ]);
    expect(manifest.tasks.map(({ queue, limits }) => [queue, limits])).toEqual([
      [{ totalConcurrencyLimit: 5 }, ["openai", "inline"]],
      [{ name: "q" }, ["openai"]],
      [{ name: "q" }, ["task/c%2C%20d"]],
    ]);
  });

  test.each([
    ["task({ id: 'a', concurrency: 'none', RUN })", "INVALID_TASK", '"none", which is not declared'],
    ["concurrencyLimit({ name: 'a b', total: 1 })", "IMPORT_FAILED", "1 to 122 letters"],
    ["concurrencyLimit({ name: 'a', total: 0 })", "INVALID_LIMIT", "from 1 to 100,000, not 0"],
    [
      "concurrencyLimit({ name: 'a', total: 1 }); concurrencyLimit({ name: 'a', total: 2 })",
      "CONFLICTING_LIMIT",
      '"a" is declared twice',
    ],
    [
      "task({ id: 'a', concurrency: [{ total: 1 }, { total: 2 }], RUN })",
      "IMPORT_FAILED",
      "one limit without a name",
    ],
    ["task({ id: 'a', concurrency: ['a', 'b', 'c'], RUN })", "IMPORT_FAILED", "at most two limits"],
  ])("%s is refused", async (code, problem, message) => {
    const found = await index(`${code.replace("RUN", run)}; task({ id: "z", ${run} });`);
    expect(found).toMatchObject({ problem: { code: problem, message: expect.stringContaining(message) } });
  });

  test("a rate limit whose period is not a duration", async () => {
    const code = `queue({ name: "q", rateLimit: { limit: 5, period: "soon" } }); registerFile("src/a.ts", { a: task({ id: "a", ${run} }) });`;
    expect(await index(code)).toMatchObject({
      problem: {
        code: "INVALID_QUEUE",
        message: expect.stringContaining('The queue "q": "soon" is not a duration'),
      },
    });
  });

  test.each(["0", "65", "1.5", '"4"'])("a queue that can't have %s partitions", async (partitions) => {
    const message = `partitions has to be a whole number from 1 to 64, not ${partitions}`;
    const shared = `queue({ name: "q", partitions: ${partitions} }); task({ id: "a", ${run} });`;
    expect(await index(shared)).toMatchObject({
      problem: { code: "INVALID_QUEUE", message: `The queue "q": ${message}` },
    });
    const own = `task({ id: "a", queue: { partitions: ${partitions} }, ${run} });`;
    expect(await index(own)).toMatchObject({
      problem: { code: "INVALID_TASK", message: expect.stringContaining(message) },
    });
  });

  test("a machine for retries after running out of memory is part of the manifest, and has to be one", async () => {
    const code = (machine: string) =>
      `registerFile("src/a.ts", { a: task({ id: "a", retry: { outOfMemory: { machine: "${machine}" } }, ${run} }) });`;
    expect(await index(code("large-1x"))).toMatchObject({
      manifest: { tasks: [{ id: "a", retry: { outOfMemory: { machine: "large-1x" } } }] },
    });
    expect(await index(code("huge-1x"))).toMatchObject({
      problem: {
        code: "INVALID_TASK",
        message: expect.stringMatching(/^Task "a" in src\/a\.ts: retry\.outOfMemory\.machine: .*"large-1x"/),
      },
    });
  });

  test("a queue with two limits", async () => {
    const code = `queue({ name: "q", concurrencyLimit: 1 }); task({ id: "a", queue: { name: "q", concurrencyLimit: 2 }, ${run} });`;
    expect(await index(code)).toMatchObject({
      problem: {
        code: "CONFLICTING_QUEUE",
        message: expect.stringContaining('"q" is declared with the concurrency limits 1 and 2'),
      },
    });
  });

  test("settings that are out of range or make no sense", async () => {
    const short = await index(
      `registerFile("src/a.ts", { a: task({ id: "short", maxDuration: 1, ${run} }) });`,
    );
    expect(short).toMatchObject({
      problem: {
        code: "INVALID_TASK",
        message: expect.stringMatching(/^Task "short" in src\/a\.ts: maxDuration: .*5/),
      },
    });
    const ttl = await index(`task({ id: "lasting", ttl: "a while", ${run} });`);
    expect(ttl).toMatchObject({
      problem: { message: expect.stringContaining('"a while" is not a duration') },
    });
    const noRun = await index(`task({ id: "idle" });`);
    expect(noRun).toMatchObject({
      problem: { message: expect.stringContaining('Task "idle" needs a run function') },
    });
  });

  test("code that ends the process or never ends, with its output", async () => {
    expect(await index(`console.log("leaving"); process.exit(4);`)).toEqual({
      output: "leaving\n",
      problem: {
        code: "PROCESS_ENDED",
        message: "The project's code ended the process (exit code 4) while it was being loaded",
      },
    });
    expect(await index("setInterval(() => {}, 1000); await new Promise(() => {});", 1_000)).toMatchObject({
      problem: { code: "TIMED_OUT", message: expect.stringContaining("took longer than 1000 ms") },
    });
  });

  test("code that waits for nothing: the process that had waited for the bundle ends too", async () => {
    expect(await index("await new Promise(() => {});")).toMatchObject({
      problem: { code: "PROCESS_ENDED", message: expect.stringContaining("exit code 13") },
    });
  });
});

test("a process that was started before the bundle existed loads the current bundle, and ends with its parent", async () => {
  const entry = JSON.stringify(source("runtime/index.ts"));
  const parent = spawn(
    process.execPath,
    [
      "-e",
      `import(${entry}).then(({ Indexer }) => { console.log(new Indexer().pid); setInterval(() => {}, 1e3); })`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(String(line));
  const indexer = new Indexer();
  expect(indexer.isAlive).toBe(true);
  const bundle = join(folder(), "bundle.mjs");
  const sdk = JSON.stringify(source("index.ts"));
  await writeFile(bundle, `import { task } from ${sdk};\ntask({ id: "late", ${run} });`);
  expect(await indexer.index(bundle)).toMatchObject({ manifest: { tasks: [{ id: "late" }] } });
  expect(indexer.isAlive).toBe(false);

  expect(() => process.kill(pid, 0)).not.toThrow();
  parent.kill("SIGKILL");
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/), { timeout: 30_000 });
});
