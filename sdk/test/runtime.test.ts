import { createServer } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { newRunId } from "../src/contract/ids.ts";
import { apiServer } from "./support/api.ts";
import { bundleFixture, folder, source } from "./support/bundle.ts";
import { RuntimeProcess, runOf } from "./support/runtime.ts";

let bundle: string;
beforeAll(async () => {
  bundle = await bundleFixture("tasks.ts");
});

async function ready(
  options: Partial<ConstructorParameters<typeof RuntimeProcess>[0]> = {},
): Promise<RuntimeProcess> {
  const runtime = new RuntimeProcess({ bundle, ...options });
  await runtime.message("ready");
  return runtime;
}

test("waits for the promises of waitUntil before the run ends", async () => {
  const runtime = await ready();
  expect(await runtime.result(runOf("returning-early", undefined))).toEqual({ early: true });
  const text = JSON.stringify(runtime.messages);
  const end = text.indexOf('"type":"completed"');
  for (const line of ["after the return", "A promise of waitUntil() was rejected: nobody minds"]) {
    expect(text).toContain(line);
    expect(text.indexOf(line)).toBeLessThan(end);
  }
});

describe("the channel", () => {
  test("says hello with its token, then ready, then executes what it is sent", async () => {
    const runtime = await ready();
    expect(runtime.messages).toEqual([
      { type: "hello", protocol: 1, token: "secret", pid: runtime.child.pid },
      { type: "ready" },
    ]);
    const run = runOf("hello", { name: "Ada" });
    const completed = await runtime.execute(run);
    expect(completed).toMatchObject({
      token: 7,
      outcome: { type: "success", output: '{"message":"Hello, Ada!"}', outputType: "application/json" },
    });
    expect(completed.usageMs).toBeGreaterThan(0);
    const started = await runtime.message("started", run.runId);
    expect(started.token).toBe(7);
    expect(runtime.messages.indexOf(started)).toBeLessThan(runtime.messages.indexOf(completed));
  });

  test("works over a Unix socket, and from one bundled file", async () => {
    const entry = join(folder(), "runtime.mjs");
    await build({
      entryPoints: [source("runtime/main.ts")],
      outfile: entry,
      bundle: true,
      format: "esm",
      platform: "node",
    });
    const path = join(folder(), "host.sock");
    const server = createServer();
    onTestFinished(() => void server.close());
    const connected = new Promise<import("node:net").Socket>((resolve) => server.on("connection", resolve));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const runtime = new RuntimeProcess({ bundle, entry, channel: `unix:${path}` });
    runtime.attach(await connected);
    await runtime.message("ready");
    expect(await runtime.result(runOf("echo", [1, 2]))).toEqual([1, 2]);
  });

  test("exits with 0 when the channel ends", async () => {
    const runtime = await ready();
    runtime.close();
    expect(await runtime.exited).toEqual({ code: 0, signal: null });
  });

  test("finishes the run in progress before it shuts down", async () => {
    const runtime = await ready();
    const run = runOf("blocking", { ms: 20 });
    runtime.send({ type: "run", run });
    runtime.send({ type: "shutdown" });
    expect((await runtime.message("completed", run.runId)).outcome.type).toBe("success");
    expect((await runtime.exited).code).toBe(0);
  });

  test("reports a broken bundle, with a stack trace in the source file, and exits with 1", async () => {
    const runtime = new RuntimeProcess({ bundle: await bundleFixture("broken.ts") });
    const broken = await runtime.message("broken");
    expect(broken.message).toContain(
      "The bundle could not be imported: TypeError: Cannot read properties of undefined",
    );
    expect(broken.stackTrace).toContain("fixtures/broken.ts:5");
    expect((await runtime.exited).code).toBe(1);
  });

  test("hides the channel's secret from the task", async () => {
    const runtime = await ready({ bundle: await bundleFixture("environment.ts") });
    expect(await runtime.result(runOf("environment"))).toEqual([]);
  });

  test("reports the start of a quick task together with its end", async () => {
    const runtime = await ready();
    // A busy machine makes a quick task slow. It counts as quick once the previous run was quick.
    let completed = await runtime.execute(runOf("hello", { name: "Ada" }));
    for (let tries = 0; tries < 1_000 && completed.startedAt === undefined; tries++)
      completed = await runtime.execute(runOf("hello", { name: "Ada" }));
    const { startedAt, at, runId } = completed;
    expect(startedAt).toBeLessThanOrEqual(at);
    const types = () => runtime.messages.filter((m) => "runId" in m && m.runId === runId).map((m) => m.type);
    expect(types()).toEqual(["completed"]);
  });

  test("reports a task's start to the host before it blocks the thread", async () => {
    const runtime = await ready();
    const run = runOf("blocking", { ms: 300 });
    const completed = await runtime.execute(run);
    const started = await runtime.message("started", run.runId);
    expect(completed.at - started.at).toBeGreaterThanOrEqual(299);
  });
});

describe("a task receives", () => {
  test("the context of its run", async () => {
    const runtime = await ready();
    const runId = newRunId("env00000queuehash0");
    const ctx = await runtime.outcome(
      runOf("context", {}, { runId, attempt: 2, parentRunId: "run_p", batchId: "batch_1", maxAttempts: 4 }),
    );
    const { json } = JSON.parse((ctx as { output: string }).output);
    expect(json).toMatchObject({
      attempt: { number: 2 },
      run: {
        id: runId,
        tags: ["a"],
        isTest: false,
        createdAt: "2023-11-14T22:13:20.000Z",
        version: "20261124.1",
        parentTaskRunId: "run_p",
        maxAttempts: 4,
      },
      task: { id: "context" },
      queue: { id: "queue_env00000queuehash0", name: "context" },
      environment: { id: "env_1", slug: "prod", type: "PRODUCTION" },
      organization: { id: "org_1", slug: "org", name: "Org" },
      project: { id: "project_1", ref: "proj_test", slug: "proj_test", name: "Test" },
      machine: { name: "small-1x", cpu: 0.5, memory: 0.5 },
      batch: { id: "batch_1" },
      deployment: { id: "deployment_1", version: "20261124.1", runtime: "node" },
    });
  });

  test("payloads of every type", async () => {
    const runtime = await ready();
    expect(await runtime.outcome(runOf("echo"))).toEqual({ type: "success", outputType: "application/json" });
    expect(
      await runtime.outcome(runOf("echo", undefined, { payload: "text", payloadType: "text/plain" })),
    ).toMatchObject({
      output: "text",
      outputType: "text/plain",
    });
    const rich = '{"json":{"at":"1970-01-01T00:00:00.000Z"},"meta":{"values":{"at":["Date"]},"v":1}}';
    const packet = { payload: rich, payloadType: "application/super+json" };
    expect(await runtime.outcome(runOf("echo", undefined, packet))).toMatchObject({
      output: rich,
      outputType: "application/super+json",
    });
    expect(
      await runtime.result(runOf("echo", undefined, { ...packet, payload: '{"json":{"a":1}}' })),
    ).toEqual({ a: 1 });
  });

  test("a payload stored elsewhere is downloaded", async () => {
    const api = await apiServer((request) =>
      request.path.startsWith("/api/v1/packets/")
        ? { body: { presignedUrl: `http://${request.headers.host}/blob` } }
        : { body: { large: true } },
    );
    const runtime = await ready({ env: { ACME_API_URL: api.url, ACME_SECRET_KEY: "key" } });
    const stored = { payload: "payloads/a b.json", payloadType: "application/store" };
    expect(await runtime.result(runOf("echo", undefined, stored))).toEqual({ large: true });
    expect(api.received.map((r) => [r.path, r.headers.authorization])).toEqual([
      ["/api/v1/packets/payloads%2Fa%20b.json", "Bearer tr_prod_x"],
      ["/blob", undefined],
    ]);
  });

  test("nothing from the previous run: locals and metadata are new", async () => {
    const runtime = await ready();
    expect(await runtime.result(runOf("counting", undefined, { metadata: '{"count":5}' }))).toEqual({
      before: 0,
      after: 1,
      known: 5,
    });
    expect(await runtime.result(runOf("counting"))).toEqual({ before: 0, after: 1, known: 0 });
  });

  test("the memory that an earlier run left behind does not count for the next one", async () => {
    const runtime = await ready();
    const left = runOf("leaving");
    await runtime.execute(left);
    const run = runOf("after-leaving");
    expect(await runtime.result(run)).toEqual({});
    expect(runtime.logs(run.runId).map((entry) => entry.message)).toEqual(["the living"]);
    expect(runtime.logs(left.runId)).toEqual([]);
    await runtime.until(() => runtime.output.includes("a ghost of an earlier run"));
  });
});

describe("outcomes", () => {
  test("a task that is not in the bundle", async () => {
    const runtime = await ready();
    expect(await runtime.outcome(runOf("absent"))).toMatchObject({
      type: "failure",
      retry: null,
      error: {
        code: "COULD_NOT_FIND_TASK",
        message: expect.stringContaining('Version 20261124.1 has no task "absent". Its tasks: hello,'),
      },
    });
  });

  test("errors of every kind", async () => {
    const runtime = await ready();
    const outcome = (kind: string, attempt = 1) => runtime.outcome(runOf("throwing", kind, { attempt }));
    const error = await outcome("error");
    expect(error).toMatchObject({
      type: "failure",
      error: { type: "BUILT_IN_ERROR", name: "RangeError", message: "out of range" },
      retry: { delayMs: 100 },
    });
    const { stackTrace } = (error as { error: { stackTrace: string } }).error;
    expect(stackTrace).toContain("fixtures/tasks.ts:");
    expect(stackTrace).toContain("Caused by: Error: deep down");
    // The runtime's own frames are of no use to the author of a task.
    expect(stackTrace).not.toMatch(/runtime\/attempt\.ts|#callRun/);
    expect(await outcome("string", 2)).toEqual({
      type: "failure",
      error: { type: "STRING_ERROR", raw: "just text" },
      retry: { delayMs: 300 },
    });
    expect(await outcome("object", 3)).toEqual({
      type: "failure",
      error: { type: "CUSTOM_ERROR", raw: '{"code":42,"message":"an object"}' },
      retry: null,
    });
    expect(await outcome("abort")).toMatchObject({ error: { name: "AbortTaskRunError" }, retry: null });
    expect(await outcome("sync-hostile")).toMatchObject({
      error: { type: "STRING_ERROR" },
      retry: { delayMs: 100 },
    });
    expect(await outcome("complete")).toEqual({
      type: "success",
      output: '{"early":true}',
      outputType: "application/json",
    });
    expect(await runtime.outcome(runOf("sync-throw"))).toMatchObject({ error: { message: "sync" } });
  });

  test("out of memory leaves the retry to the platform", async () => {
    const runtime = await ready();
    const outcome = await runtime.outcome(runOf("throwing", "oom"));
    expect(outcome).toMatchObject({ error: { type: "INTERNAL_ERROR", code: "TASK_PROCESS_OOM_KILLED" } });
    expect(outcome).not.toHaveProperty("retry");
  });

  test("retries: the trigger's maxAttempts takes precedence, and defaults apply otherwise", async () => {
    const runtime = await ready();
    expect(await runtime.outcome(runOf("throwing", "error", { maxAttempts: 1 }))).toMatchObject({
      retry: null,
    });
    expect(await runtime.outcome(runOf("throwing", "error", { maxAttempts: 9, attempt: 4 }))).toMatchObject({
      retry: { delayMs: 2_700 },
    });
    const byDefault = await runtime.outcome(runOf("sync-throw", undefined, { attempt: 2 }));
    const { delayMs } = (byDefault as unknown as { retry: { delayMs: number } }).retry;
    expect(delayMs).toBeGreaterThanOrEqual(2_000);
    expect(delayMs).toBeLessThanOrEqual(4_000);
    expect(await runtime.outcome(runOf("sync-throw", undefined, { attempt: 3 }))).toMatchObject({
      retry: null,
    });
    const fromRun = {
      retry: { maxAttempts: 5, minTimeoutInMs: 10, factor: 1, randomize: false },
      attempt: 4,
    };
    expect(await runtime.outcome(runOf("sync-throw", undefined, fromRun))).toMatchObject({
      retry: { delayMs: 10 },
    });
  });

  test("catchError decides", async () => {
    const runtime = await ready();
    const outcome = (kind: string) => runtime.outcome(runOf("catching", kind));
    expect(await outcome("skip")).toMatchObject({ error: { message: "replaced" }, retry: null });
    expect(await outcome("delay")).toMatchObject({ error: { message: "original" }, retry: { delayMs: 101 } });
    expect(await outcome("settings")).toMatchObject({ retry: { delayMs: 7 } });
    expect(await outcome("nothing")).toMatchObject({ retry: { delayMs: 100 } });
    const run = runOf("catching", "broken");
    expect(await runtime.outcome(run)).toMatchObject({
      error: { message: "original" },
      retry: { delayMs: 100 },
    });
    expect(runtime.logs(run.runId)).toMatchObject([
      { level: "error", message: 'The catchError hook of task "catching" threw: Error: the hook broke' },
    ]);
  });

  test("payloads that are refused", async () => {
    const runtime = await ready();
    expect(await runtime.outcome(runOf("echo", undefined, { payload: "{" }))).toMatchObject({
      retry: null,
      error: { code: "TASK_INPUT_ERROR", message: expect.stringContaining("SyntaxError") },
    });
    expect(await runtime.outcome(runOf("checked", { n: "x" }))).toMatchObject({
      retry: null,
      error: {
        code: "TASK_INPUT_ERROR",
        message: "TaskPayloadParsedError: Parsing payload with schema failed: n: not a number",
      },
    });
    expect(await runtime.result(runOf("checked", { n: "12" }))).toEqual({ n: 12 });
  });

  test("outputs", async () => {
    const runtime = await ready();
    const outcome = (kind: string) => runtime.outcome(runOf("outputs", kind));
    expect(await outcome("undefined")).toEqual({ type: "success", outputType: "application/json" });
    expect(await outcome("rich")).toMatchObject({ outputType: "application/super+json" });
    expect(await outcome("large")).toMatchObject({
      retry: null,
      error: {
        code: "TASK_OUTPUT_ERROR",
        message: expect.stringContaining("more than the 10485760 allowed"),
      },
    });
    expect(await outcome("hostile")).toMatchObject({
      error: { code: "TASK_OUTPUT_ERROR", message: "Error: getter broke" },
    });
  });

  test("a middleware that never calls next", async () => {
    const runtime = await ready();
    expect(await runtime.outcome(runOf("silent-middleware"))).toMatchObject({
      retry: null,
      error: { message: 'A middleware of task "silent-middleware" returned without calling next()' },
    });
  });
});

describe("hooks", () => {
  test("of success, in order, with the value that init returned", async () => {
    const runtime = await ready();
    expect(await runtime.outcome(runOf("hooked", {}))).toMatchObject({ type: "success", output: "done" });
    expect(await runtime.result(runOf("recorded"))).toEqual([
      "global middleware in",
      "task middleware in",
      "global init",
      "task init",
      "global onStart",
      "task onStart",
      "global onStartAttempt",
      "task onStartAttempt",
      'run {"global":1,"both":"task","own":2}',
      "global onSuccess",
      "task onSuccess",
      "global onComplete",
      "task onComplete true",
      "global cleanup",
      "task cleanup",
      "task middleware out",
      "global middleware out",
    ]);
  });

  test("of failure: onFailure only when no attempt follows, onStart only at the first", async () => {
    const runtime = await ready();
    const rest = async () => ((await runtime.result(runOf("recorded"))) as string[]).slice(4);
    await runtime.outcome(runOf("hooked", { fail: true }));
    expect(await rest()).toEqual([
      "global onStart",
      "task onStart",
      "global onStartAttempt",
      "task onStartAttempt",
      'run {"global":1,"both":"task","own":2}',
      "task catchError",
      "global catchError",
      "global cleanup",
      "task cleanup",
      "task middleware out",
      "global middleware out",
    ]);
    await runtime.outcome(runOf("hooked", { fail: true }, { attempt: 2 }));
    expect(await rest()).toEqual([
      "global onStartAttempt",
      "task onStartAttempt",
      'run {"global":1,"both":"task","own":2}',
      "task catchError",
      "global catchError",
      "global onFailure",
      "task onFailure",
      "global onComplete",
      "task onComplete false",
      "global cleanup",
      "task cleanup",
      "task middleware out",
      "global middleware out",
    ]);
  });
});

describe("ends caused from outside", () => {
  test("cancel aborts the signal, calls onCancel, and no other hook of an end", async () => {
    const runtime = await ready();
    const run = runOf("hooked", { wait: true });
    runtime.send({ type: "run", run });
    await runtime.until(() => runtime.logs(run.runId).length > 0);
    runtime.send({ type: "cancel", runId: run.runId });
    expect((await runtime.message("completed", run.runId)).outcome).toEqual({ type: "canceled" });
    expect(((await runtime.result(runOf("recorded"))) as string[]).slice(8)).toEqual([
      'run {"global":1,"both":"task","own":2}',
      "global onCancel",
      "task onCancel",
      "task onCancel saw the end",
      "global cleanup",
      "task cleanup",
      "task middleware out",
      "global middleware out",
    ]);
  });

  test("cancel before the function was called: it is not called, onCancel is", async () => {
    const runtime = await ready();
    const run = runOf("slow-start");
    runtime.send({ type: "run", run });
    await runtime.until(() => runtime.logs(run.runId).length > 0);
    runtime.send({ type: "cancel", runId: run.runId });
    expect((await runtime.message("completed", run.runId)).outcome).toEqual({ type: "canceled" });
    expect(runtime.logs(run.runId).map((entry) => entry.message)).toEqual(["starting", "onCancel undefined"]);
  });

  test("a run that is canceled before its turn is not started", async () => {
    const runtime = await ready();
    const [first, second] = [runOf("finishing-when-aborted"), runOf("hello", { name: "Ada" })];
    runtime.send({ type: "run", run: first });
    runtime.send({ type: "run", run: second });
    runtime.send({ type: "cancel", runId: second.runId });
    expect((await runtime.message("completed", second.runId)).outcome).toEqual({ type: "canceled" });
    runtime.send({ type: "cancel", runId: first.runId });
    await runtime.message("completed", first.runId);
    expect(runtime.messages.some((m) => m.type === "started" && m.runId === second.runId)).toBe(false);
  });

  test("maxDuration aborts the signal with an error that says so, whatever the task returns then", async () => {
    const runtime = await ready();
    expect(
      await runtime.outcome(runOf("finishing-when-aborted", undefined, { maxDuration: 0.05 })),
    ).toMatchObject({
      type: "failure",
      retry: null,
      error: {
        code: "MAX_DURATION_EXCEEDED",
        message: expect.stringContaining("(maxDuration) of 0.05 seconds"),
      },
    });
    expect(await runtime.result(runOf("echo", 1))).toBe(1);
  });

  test("the time that the attempt used before it was suspended counts for its maxDuration", async () => {
    const runtime = await ready();
    const run = runOf("finishing-when-aborted", undefined, {
      maxDuration: 3_600,
      resume: { journal: [], usedMs: 3_600_000 - 50 },
    });
    expect(await runtime.outcome(run)).toMatchObject({ error: { code: "MAX_DURATION_EXCEEDED" } });
  });

  test("a task that ignores maxDuration is given up after a grace period, and the process with it", async () => {
    const runtime = await ready();
    const completed = await runtime.execute(runOf("ignoring", undefined, { maxDuration: 0.05 }));
    expect(completed).toMatchObject({
      exiting: true,
      outcome: { retry: null, error: { code: "MAX_DURATION_EXCEEDED" } },
    });
    expect((await runtime.exited).code).toBe(1);
  }, 20_000);

  test.each(["exception", "rejection"])(
    "an uncaught %s fails the run with it, and the process exits",
    async (kind) => {
      const runtime = await ready();
      const completed = await runtime.execute(runOf("stray", kind));
      expect(completed).toMatchObject({
        exiting: true,
        outcome: {
          error: {
            type: "BUILT_IN_ERROR",
            name: "TypeError",
            message: expect.stringContaining("on its own"),
          },
          retry: { delayMs: 100 },
        },
      });
      expect((await runtime.exited).code).toBe(1);
    },
  );

  test("an error that an earlier run left behind fails no other run, but the process ends after it", async () => {
    const runtime = await ready();
    await runtime.execute(runOf("mining"));
    expect(await runtime.execute(runOf("stepping-on-it"))).toMatchObject({
      exiting: true,
      outcome: { type: "success", output: "unharmed" },
    });
    expect((await runtime.exited).code).toBe(1);
    expect(runtime.output).toContain("an earlier run's mine");
  });

  test("process.exit in a task: the log, and then the exit code", async () => {
    const runtime = await ready();
    const run = runOf("exiting", { code: 3 });
    runtime.send({ type: "run", run });
    expect(await runtime.exited).toEqual({ code: 3, signal: null });
    expect(runtime.logs(run.runId)).toMatchObject([{ message: "goodbye" }]);
    expect(runtime.messages.some((m) => m.type === "started" && m.runId === run.runId)).toBe(true);
  });

  test("a full heap: SIGABRT, and V8 says why", async () => {
    const runtime = await ready({ nodeArguments: ["--max-old-space-size=32"] });
    runtime.send({ type: "run", run: runOf("hungry") });
    const { code, signal } = await runtime.exited;
    expect(signal === "SIGABRT" || code === 134).toBe(true);
    expect(runtime.output).toContain("JavaScript heap out of memory");
  }, 30_000);
});

describe("logs", () => {
  test("console and logger become entries that arrive before the end", async () => {
    const runtime = await ready();
    const run = runOf("talking");
    const completed = await runtime.execute(run);
    const entries = runtime.logs(run.runId);
    expect(entries.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      "log: plain format { deep: { er: [ 1 ] } }",
      "error: structured",
      "warn: careful",
      "info: with properties",
      "debug: detail",
      "trace: step",
      "trace: failing step",
    ]);
    expect(entries[1]!.properties).toEqual({ msg: "structured", user: "Ada" });
    expect(entries[3]!.properties).toEqual({ big: "1", map: { a: 1 }, self: "[Circular]" });
    expect(entries[5]!.properties).toMatchObject({ size: 3, durationMs: expect.any(Number) });
    expect(entries[6]!.properties).toMatchObject({ error: { name: "Error", message: "step failed" } });
    const last = runtime.messages.findLast((m) => m.type === "log");
    expect(runtime.messages.indexOf(last!)).toBeLessThan(runtime.messages.indexOf(completed));
    await runtime.until(() => runtime.output.includes("plain format") && runtime.output.includes("careful"));
  });
});

describe("calls of the API from within a task", () => {
  test("metadata is batched and saved before the end; triggers name the parent and scope their keys", async () => {
    let metadata: Record<string, unknown> = {};
    const api = await apiServer(({ method, path, body }) => {
      if (path.endsWith("/trigger"))
        return { body: { id: "run_child" }, headers: { "x-trigger-jwt": "jwt" } };
      if (path.endsWith("/tags")) return { body: { message: "ok" } };
      if (method !== "PUT") return { status: 404, body: { error: "no such route" } };
      for (const operation of (body as { operations: { key: string; value: unknown }[] }).operations) {
        metadata = { ...metadata, [operation.key]: operation.value };
      }
      return { body: { metadata: { ...metadata, server: true } } };
    });
    const runtime = await ready({ env: { TRIGGER_API_URL: api.url, TRIGGER_SECRET_KEY: "tr_prod_x" } });
    const run = runOf(
      "calling",
      { name: "Ada" },
      { runId: "run_parent", parentRunId: "run_grand", isTest: true },
    );
    expect(await runtime.result(run)).toMatchObject({
      handle: { id: "run_child", taskIdentifier: "hello", publicAccessToken: "jwt" },
      metadata: { step: 2, count: 3, list: "a", server: true },
    });
    const [first, tags, keyed, global, last] = api.received;
    expect(first).toMatchObject({
      method: "PUT",
      path: "/api/v1/runs/run_parent/metadata",
      headers: { authorization: "Bearer tr_prod_x", "x-trigger-worker": "true" },
      body: {
        operations: [
          { type: "set", key: "step", value: 1 },
          { type: "increment", key: "count", value: 3 },
          { type: "append", key: "list", value: "a" },
        ],
        parentOperations: [{ type: "set", key: "child", value: "was here" }],
        rootOperations: [],
      },
    });
    expect(tags).toMatchObject({ path: "/api/v1/runs/run_parent/tags", body: { tags: ["one", "two"] } });
    expect(keyed).toMatchObject({
      path: "/api/v1/tasks/hello/trigger",
      body: {
        payload: { name: "Ada" },
        options: {
          payloadType: "application/json",
          parentRunId: "run_parent",
          test: true,
          delay: "1h",
          // sha256("once-run_parent")
          idempotencyKey: "10a662eb8a2c3cf3a897fe06f09c3779473c6ee9b4f3344f1c4eb94816ba5e9f",
          idempotencyKeyOptions: { key: "once", scope: "run" },
        },
      },
    });
    expect(global).toMatchObject({
      body: { options: { idempotencyKeyOptions: { key: "a-b", scope: "global" } } },
    });
    expect(last).toMatchObject({
      method: "PUT",
      body: { operations: [{ type: "set", key: "step", value: 2 }] },
    });
    expect(api.received).toHaveLength(5);
  });

  test("metadata that cannot be saved does not fail the run, but is logged", async () => {
    const api = await apiServer(() => ({ status: 400, body: { error: "too much" } }));
    const runtime = await ready({
      bundle: await bundleFixture("metadata.ts"),
      env: { ACME_API_URL: api.url, ACME_SECRET_KEY: "k" },
    });
    const run = runOf("metadata");
    expect(await runtime.result(run)).toEqual({ a: 1 });
    expect(runtime.logs(run.runId)).toMatchObject([
      { level: "error", message: expect.stringContaining("The run's metadata could not be saved") },
    ]);
  });
});
