import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { JournalEntry, OperationResult } from "../src/contract/journal.ts";
import { type Answer, apiServer, type ReceivedRequest } from "./support/api.ts";
import { bundleFixture, folder } from "./support/bundle.ts";
import { DurableRun } from "./support/durable-run.ts";
import { RuntimeProcess } from "./support/runtime.ts";

let bundle: string;
beforeAll(async () => {
  bundle = await bundleFixture("durable.ts");
});

const json = (value: unknown): OperationResult => ({
  ok: true,
  output: JSON.stringify(value),
  outputType: "application/json",
});
const paths = (received: ReceivedRequest[]): string[] =>
  received.map(({ method, path }) => `${method} ${path}`);

/** A run of `task`, and a server for its side effects and its calls of the API. */
async function durable(
  taskId: string,
  payload?: unknown,
  answer: (request: ReceivedRequest, count: number) => Answer | undefined = () => undefined,
) {
  const api = await apiServer((request, count) => {
    const special = answer(request, count);
    if (special) return special;
    if (request.path.startsWith("/effect/")) return { body: `effect ${count}` };
    if (request.path.endsWith("/metadata")) return { body: { metadata: {} } };
    if (request.path.endsWith("/tags")) return { body: {} };
    return { status: 404, body: { error: `no route ${request.path}` } };
  });
  const env = { ACME_API_URL: api.url, ACME_SECRET_KEY: "tr_prod_x", EFFECTS_URL: api.url };
  return {
    run: new DurableRun({ bundle, env }, taskId, payload),
    received: api.received,
    env,
    connections: api.connections,
  };
}

describe("replay", () => {
  test("ordinary code sees the same values, steps and effects happen once, and log lines are not repeated", async () => {
    const { run, received } = await durable("values");
    await run.start();
    await run.waits(1);
    expect(run.entries).toMatchObject([
      {
        number: 0,
        kind: "step",
        name: "charge",
        location: expect.stringMatching(/sdk\/test\/fixtures\/durable\.ts:\d+:\d+$/),
        result: { ok: true, outputType: "application/super+json" },
        values: {
          random: [expect.any(Number), expect.any(Number)],
          uuid: [expect.any(String), expect.any(String)],
        },
      },
      { number: 1, kind: "wait", until: expect.any(Number) },
    ]);
    await run.logged("start");
    await run.kill();
    run.completeSilently(1);

    await run.start();
    await run.waits(2);
    await run.logged("between");
    const [, , third] = run.entries as [JournalEntry, JournalEntry, JournalEntry];
    await run.kill();
    run.completeSilently(2);

    await run.start();
    const result = (await run.result()) as {
      first: {
        now: number[];
        text: string;
        day: string;
        isDate: boolean;
        random: number[];
        uuids: string[];
        fetched: string;
      };
      second: { now: number[]; fetched: string };
      stepped: { at: number };
      startedAt: number;
    };
    expect(run.logs).toEqual(["end"]);
    const { first, second } = result;
    const recorded = run.journal.get(0)!.values!;
    expect(first.random).toEqual(recorded.random);
    expect(first.uuids).toEqual(recorded.uuid);
    expect(recorded.now).toEqual(expect.arrayContaining(first.now));
    expect(result.startedAt).toBe(recorded.now![0]);
    expect(first).toMatchObject({ day: "1970-01-01T00:00:00.000Z", isDate: true, fetched: "effect 2" });
    expect(Date.parse(first.text)).toBe(Math.floor(recorded.now!.at(-3)! / 1_000) * 1_000);
    expect(third.values!.now).toEqual(expect.arrayContaining(second.now));
    expect(third.until).toBe(first.now[0]! + 7_200_000);
    expect(result.stepped.at).toBe(0);
    expect(paths(received).filter((path) => path.includes("/effect/"))).toEqual([
      "POST /effect/value",
      "POST /effect/charge",
      "POST /effect/value",
    ]);
    expect(paths(received).filter((path) => path.endsWith("/tags"))).toHaveLength(1);
    // The first process was killed before a second had passed.
    expect(paths(received).filter((path) => path.endsWith("/metadata"))).toEqual([]);
  });

  test("a step's result is durable before the code continues", async () => {
    const { run, received } = await durable("steps", "retry");
    run.answers = false;
    const runtime = await run.start();
    const journal = await runtime.until(() =>
      runtime.messages.find((m) => m.type === "journal" && m.entries.some((entry) => entry.result)),
    );
    // If the code had continued, it would have sent something by now.
    runtime.send({ type: "suspend", runId: run.run.runId, checkpoint: false });
    await runtime.until(() => runtime.messages.findLast((m) => m.type === "working"));
    expect(runtime.messages.some((m) => m.type === "completed")).toBe(false);
    if (journal?.type === "journal") {
      runtime.send({ type: "journaled", runId: run.run.runId, seq: journal.seq });
    }
    expect(await run.result()).toBe(3);
    expect(received).toHaveLength(3);
  });

  test("errors of a step, and its retries", async () => {
    const { run, received } = await durable("steps", "throw");
    await run.start();
    await run.waits(1);
    await run.kill();
    run.completeSilently(1);
    await run.start();
    expect(await run.result()).toEqual({
      name: "RangeError",
      message: "out of range",
      stack: expect.stringMatching(/fixtures\/durable\.ts:\d+[\s\S]*Caused by: Error: deep/),
    });
    expect(received).toHaveLength(1);
    const abort = await durable("steps", "abort");
    await abort.run.start();
    expect(await abort.run.outcome()).toMatchObject({ error: { name: "AbortTaskRunError" }, retry: null });
    expect(abort.received).toHaveLength(1);
  });

  test("inside a step there are no waits; a step in it is part of it, and triggers are plain", async () => {
    const nested = await durable("steps", "nested");
    await nested.run.start();
    expect(await nested.run.outcome()).toMatchObject({ output: "inner value" });
    expect(nested.run.entries.map(({ name }) => name)).toEqual(["outer"]);
    const waiting = await durable("steps", "wait");
    await waiting.run.start();
    expect(await waiting.run.outcome()).toMatchObject({
      error: { message: expect.stringContaining('wait.for() can\'t be used inside step "waiting"') },
    });
    const { run, received } = await durable("steps", "trigger", () => ({ body: { id: "run_child" } }));
    await run.start();
    expect(await run.outcome()).toMatchObject({ output: "run_child" });
    expect(received[0]!.headers).not.toHaveProperty("x-acme-operation");
    const large = await durable("steps", "large");
    await large.run.start();
    expect(await large.run.outcome()).toMatchObject({
      error: { message: expect.stringContaining('Step "large" returned 1100000 bytes') },
    });
  });

  test("branches start their operations in the recorded order, whichever result arrives first", async () => {
    const { run, received } = await durable("branches");
    await run.start();
    await run.waits(0, 1);
    run.complete(1, json("B"));
    await run.runtime!.until(() => run.journal.get(2)?.result);
    run.complete(0, json("A"));
    await run.waits(4);
    expect(run.entries.map(({ name }) => name).slice(0, 4)).toEqual([
      "waitpoint_a",
      "waitpoint_b",
      "step b",
      "step a",
    ]);
    await run.kill();
    run.completeSilently(4);
    await run.start();
    expect(await run.result()).toEqual(["A effect 2", "B effect 1"]);
    expect(received).toHaveLength(2);
  });

  test("other operations than recorded fail the run, naming both and the lines, also where the code swallows the error", async () => {
    for (const swallow of [false, true]) {
      const { run } = await durable("changing", swallow);
      await run.start();
      await run.waits(2);
      await run.kill();
      run.completeSilently(2);
      await run.start({ CHANGED: "1" });
      const outcome = await run.outcome();
      expect(outcome).toMatchObject({
        type: "failure",
        retry: null,
        error: { type: "INTERNAL_ERROR", code: "TASK_RUN_NON_DETERMINISTIC" },
      });
      expect((outcome as { error: { message: string } }).error.message).toMatch(
        /^Operation 1 of this run was step "second" \(\S*fixtures\/durable\.ts:\d+:\d+\) before it was suspended, but now it is the wait for token "waitpoint_1" \(\S*fixtures\/durable\.ts:\d+:\d+\)\./,
      );
      expect((await run.runtime!.exited).code).toBe(1);
    }
  });

  test("an operation that was only claimed is started once more", async () => {
    const { run, received } = await durable("hooked", undefined, ({ path }) =>
      path.endsWith("/trigger") ? { body: { id: "run_child" } } : undefined,
    );
    run.journal.set(0, {
      number: 0,
      kind: "token",
      name: "waitpoint_1",
      startedAt: 1,
      result: { ok: true },
      values: {},
    });
    run.journal.set(1, { number: 1, kind: "run", name: "hello", target: "run_child", startedAt: 2 });
    await run.start();
    await run.waits(1);
    expect(paths(received)).toEqual(["POST /api/v1/tasks/hello/trigger"]);
    expect(run.journal.get(1)).toMatchObject({
      target: "run_child",
      location: expect.any(String),
      values: { after: [0] },
    });
    run.complete(1, json({ message: "hi" }));
    expect(await run.result()).toEqual({
      ok: true,
      id: "run_child",
      taskIdentifier: "hello",
      output: { message: "hi" },
    });
  });

  test("values that must not be recorded, and no more values than fit", async () => {
    const seen = async (record: unknown) => {
      const env = { RECORD: JSON.stringify(record) };
      const run = new DurableRun({ bundle: await bundleFixture("unrecorded.ts"), env }, "unrecorded");
      await run.start();
      await run.waits(1);
      return run.journal.get(0)!.values;
    };
    expect(await seen(false)).toEqual({ after: [] });
    expect(await seen({ now: false })).toEqual({
      after: [],
      random: [expect.any(Number), expect.any(Number), expect.any(Number)],
    });
    expect(await seen({ maxBytes: 70 })).toMatchObject({
      now: [expect.any(Number), expect.any(Number)],
      random: [expect.any(Number), expect.any(Number)],
    });
  });

  test("responses are recorded with status and headers, even late ones; large ones are fetched again", async () => {
    const answer = ({ path }: ReceivedRequest): Answer | undefined => {
      if (path === "/late") return { body: "late" };
      return {
        status: 201,
        headers: { "x-kind": "test" },
        body: "x".repeat(path === "/large" ? 300_000 : 10),
      };
    };
    const { run, received } = await durable("fetching", "/small", answer);
    await run.start();
    await run.waits(2);
    await run.kill();
    run.completeSilently(2);
    await run.start();
    expect(await run.result()).toEqual({ shown: [201, "test", "/small", 10], late: "late" });
    expect(paths(received)).toEqual(["GET /small", "GET /late"]);

    const large = await durable("fetching", "/large", answer);
    await large.run.start();
    await large.run.waits(2);
    await large.run.kill();
    large.run.completeSilently(2);
    await large.run.start();
    expect(await large.run.result()).toEqual({ shown: [201, "test", "/large", 300_000], late: "late" });
    expect(paths(large.received)).toEqual(["GET /large", "GET /late", "GET /large"]);
  });
});

describe("values that are recorded during a wait", () => {
  test("a response whose body arrives after the wait began is recorded before the run is suspended", async () => {
    let arrive = (): void => {};
    const after = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const { run, received } = await durable("slow-body", undefined, ({ path }) =>
      path === "/slow" ? { body: "begin ", rest: { after, body: "end" } } : undefined,
    );
    const runtime = await run.start();
    await runtime.until(() => run.journal.has(0));
    // The wait has begun, but the run does more than wait while the body is still arriving.
    expect(runtime.messages.some(({ type }) => type === "waiting")).toBe(false);
    arrive();
    await run.waits(0);
    expect(run.entries[0]?.values?.fetch).toBeUndefined();
    expect(run.entries[0]?.values?.tail?.fetch).toMatchObject([{ request: expect.any(String), segment: 0 }]);
    runtime.send({ type: "suspend", runId: run.run.runId, checkpoint: false });
    await runtime.message("suspended", run.run.runId);
    await run.kill();
    run.completeSilently(0);
    await run.start();
    expect(await run.result()).toEqual({ text: "begin end" });
    expect(paths(received)).toEqual(["GET /slow"]);
  });

  test("ordinary code gets the values from the time of a wait again, and later operations keep them", async () => {
    const { run, received } = await durable("beside-wait");
    await run.start();
    await run.waits(0);
    const { tail } = run.entries[0]!.values!;
    expect(tail).toMatchObject({ now: [expect.any(Number)], uuid: [expect.any(String)] });
    await run.kill();
    run.completeSilently(0);
    await run.start();
    await run.waits(1);
    // The values before and after the suspension are one segment.
    const { values } = run.entries[1]!;
    expect(values?.now).toHaveLength(2);
    expect(values?.uuid?.[0]).toBe(tail?.uuid?.[0]);
    expect(values?.fetch).toHaveLength(2);
    await run.kill();
    run.completeSilently(1);
    await run.start();
    const result = (await run.result()) as { first: object; second: object };
    expect(result).toEqual({
      first: { text: "effect 1", at: values?.now?.[0], id: values?.uuid?.[0] },
      second: { text: "effect 2", at: values?.now?.[1], id: values?.uuid?.[1] },
    });
    expect(paths(received)).toEqual(["POST /effect/beside", "POST /effect/beside"]);
  });
});

describe("waits", () => {
  test("concurrent ones, and the run only waits when nothing else is in progress", async () => {
    const { run, received } = await durable("side-by-side", undefined, ({ path }) => {
      if (path.endsWith("/trigger")) return { body: { id: "run_child" } };
      if (path === "/api/v3/batches") return { body: { id: "batch_1", runCount: 2, isCached: false } };
      if (path.endsWith("/items"))
        return { body: { id: "batch_1", itemsAccepted: 2, itemsDeduplicated: 0, sealed: true } };
      if (path.startsWith("/api/v1/batches/batch_1/results")) {
        const items = [
          {
            ok: true,
            index: 0,
            id: "run_b0",
            taskIdentifier: "hello",
            output: '{"message":"hi"}',
            outputType: "application/json",
          },
          {
            ok: false,
            index: 1,
            id: "run_b1",
            taskIdentifier: "add",
            error: { type: "STRING_ERROR", raw: "no" },
          },
        ];
        const second = path.includes("after%5D=0");
        return {
          body: { id: "batch_1", items: [items[second ? 1 : 0]], pagination: second ? {} : { next: "0" } },
        };
      }
      return undefined;
    });
    const runtime = await run.start();
    await run.waits(0, 1, 2, 3);
    const waiting = await runtime.message("waiting", run.run.runId);
    expect(waiting.waits.map(({ kind }) => kind)).toEqual(["wait", "token", "run", "batch"]);
    expect(run.entries).toMatchObject([
      { kind: "wait" },
      { kind: "token", target: "waitpoint_1" },
      { kind: "run", name: "hello", target: "run_child" },
      { kind: "batch", name: "hello, add", target: "batch_1" },
      { kind: "step", name: "count", result: { output: "effect 1" } },
    ]);
    const trigger = received.find(({ path }) => path.endsWith("/trigger"))!;
    expect(trigger.headers["x-acme-operation"]).toBe(`${run.run.runId}.1.2`);
    expect(trigger.body).toMatchObject({
      options: { parentRunId: run.run.runId, resumeParentOnCompletion: true, lockToVersion: "20261124.1" },
    });
    const create = received.find(({ path }) => path === "/api/v3/batches")!;
    expect(create.headers["x-acme-operation"]).toBe(`${run.run.runId}.1.3`);
    expect(create.body).toMatchObject({
      runCount: 2,
      taskIdentifiers: ["hello", "add"],
      parentRunId: run.run.runId,
      resumeParentOnCompletion: true,
    });

    run.complete(2, json({ message: "done" }));
    await run.waits(0, 1, 3);
    run.complete(1, json({ approved: true }));
    run.complete(3, json({ batchId: "batch_1" }));
    await run.waits(0);
    run.complete(0, { ok: true });
    run.complete(0, { ok: true });
    expect(await run.result()).toEqual({
      token: { ok: true, output: { approved: true } },
      child: { ok: true, id: "run_child", taskIdentifier: "hello", output: { message: "done" } },
      both: {
        id: "batch_1",
        runs: [
          { ok: true, id: "run_b0", taskIdentifier: "hello", output: { message: "hi" } },
          { ok: false, id: "run_b1", taskIdentifier: "add", error: "no" },
        ],
      },
      counted: "effect 1",
    });
  });

  test("short ones end with a timer, without hooks; dates in the past end at once", async () => {
    const { run } = await durable("short");
    await run.start();
    expect(await run.outcome()).toMatchObject({ type: "success", output: "Date is in the past" });
    expect(run.entries.map(({ kind, result }) => `${kind} ${result?.ok}`)).toEqual([
      "wait true",
      "wait true",
      "wait true",
      "wait false",
    ]);
    expect(run.logs).toEqual([]);
  });

  test("a wait that ended while nothing ran ends at once", async () => {
    const { run } = await durable("values");
    await run.start();
    await run.waits(1);
    await run.kill();
    run.journal.get(1)!.until = Date.now() - 1_000;
    await run.start();
    await run.waits(2);
    expect(run.journal.get(1)).toMatchObject({ result: { ok: true }, completedAt: expect.any(Number) });
  });

  test("hooks are notified of the beginning once, and of the end even in the process that resumes", async () => {
    const { run } = await durable("hooked", undefined, ({ path }) =>
      path.endsWith("/trigger") ? { body: { id: "run_child" } } : undefined,
    );
    await run.start();
    await run.waits(0);
    await run.runtime!.until(() => run.logs.length === 2);
    expect(run.logs).toEqual(["global onWait token", 'onWait token {"n":1}']);
    await run.kill();
    run.completeSilently(0);
    await run.start();
    await run.waits(1);
    run.complete(1, json({ message: "hi" }));
    await run.result();
    expect(run.logs).toEqual([
      "onResume token",
      "global onWait task",
      'onWait task {"n":1}',
      "onResume task",
      "after",
    ]);
  });

  test("tokens: created once, timed out, completed before they were waited for, and unknown ones", async () => {
    const token = { id: "waitpoint_new", isCached: false, url: "https://x/callback" };
    const { run, received } = await durable("tokens", undefined, ({ path, method }) =>
      method === "POST" && path === "/api/v1/waitpoints/tokens"
        ? { body: token, headers: { "x-trigger-jwt": "jwt" } }
        : undefined,
    );
    await run.start();
    await run.waits(1);
    const timeout: OperationResult = {
      ok: false,
      error: {
        type: "INTERNAL_ERROR",
        code: "TRIGGER_WAITPOINT_TIMEOUT",
        message: "Waitpoint timed out at 2026",
      },
    };
    run.complete(1, timeout);
    await run.waits(2);
    await run.kill();
    run.completeSilently(2, timeout);
    await run.start();
    await run.waits(3);
    run.complete(3, {
      ok: false,
      error: { type: "INTERNAL_ERROR", code: "WAITPOINT_TOKEN_NOT_FOUND", message: "no" },
    });
    expect(await run.result()).toEqual({
      token: { ...token, publicAccessToken: "jwt" },
      ok: false,
      error: "WaitpointTimeoutError",
      unwrapped: "Waitpoint timed out at 2026",
      absent: "WAITPOINT_TOKEN_NOT_FOUND",
    });
    expect(received.map(({ body }) => body)).toEqual([{ timeout: "1h", tags: ["t"] }]);
  });

  test("an idempotency key: later waits end with the first wait of that key", async () => {
    const timeoutAt = new Date(Date.now() - 1_000).toISOString();
    const { run, received } = await durable("keyed", undefined, ({ method }) =>
      method === "POST"
        ? { body: { id: "waitpoint_k", isCached: true, url: "u" } }
        : {
            body: {
              id: "waitpoint_k",
              url: "u",
              status: "TIMED_OUT",
              timeoutAt,
              tags: [],
              createdAt: timeoutAt,
            },
          },
    );
    await run.start();
    expect(await run.outcome()).toMatchObject({ output: "waited" });
    expect(received[0]!.body).toMatchObject({
      idempotencyKey: "wait.for() once",
      idempotencyKeyTTL: "1d",
      timeout: expect.any(String),
    });
    expect(run.journal.get(1)).toMatchObject({ kind: "wait", until: Date.parse(timeoutAt) });
  });

  test("a canceled run's waits end, and the process can be used again", async () => {
    const { run, received } = await durable("waiting-forever");
    const runtime = await run.start();
    await run.waits(0, 1, 2);
    runtime.send({ type: "cancel", runId: run.run.runId });
    expect(await run.outcome()).toEqual({ type: "canceled" });
    expect(paths(received)).toEqual(["POST /effect/cleanup"]);
    expect(run.logs).toEqual(["onCancel AbortError"]);
  });
});

describe("children", () => {
  const child = ({ path }: ReceivedRequest): Answer | undefined =>
    path.endsWith("/trigger") ? { body: { id: `run_${path.split("/")[4]}` } } : undefined;

  test("a failed, an expired and a canceled child reach the parent as errors", async () => {
    const { run } = await durable("parent", undefined, child);
    await run.start();
    await run.waits(0);
    const stackTrace = "RangeError: too much\n    at child (src/child.ts:1:2)";
    run.complete(0, {
      ok: false,
      error: { type: "BUILT_IN_ERROR", name: "RangeError", message: "too much", stackTrace },
    });
    await run.waits(1);
    await run.kill();
    run.completeSilently(1, {
      ok: false,
      error: { type: "INTERNAL_ERROR", code: "TASK_RUN_CANCELLED", message: "Canceled by the user" },
    });
    await run.start();
    await run.waits(2);
    run.complete(2, { ok: false, error: { type: "CUSTOM_ERROR", raw: '{"code":42}' } });
    expect(await run.result()).toEqual({
      first: {
        message: "Error in hello: too much",
        taskId: "hello",
        runId: "run_hello",
        cause: { name: "RangeError", message: "too much", stack: stackTrace, isError: true },
      },
      second: {
        message: "Error in add: Canceled by the user",
        taskId: "add",
        runId: "run_add",
        cause: {
          name: "TASK_RUN_CANCELLED",
          message: "Canceled by the user",
          stack: "TASK_RUN_CANCELLED: Canceled by the user",
          isError: true,
        },
      },
      third: { ok: false, id: "run_hello", taskIdentifier: "hello", error: { code: 42 } },
    });
  });

  test("a large output is downloaded", async () => {
    const { run } = await durable("conflicting", undefined, (request) => {
      const { path, headers } = request;
      if (path.startsWith("/api/v1/packets/"))
        return { body: { presignedUrl: `http://${headers.host}/blob` } };
      return path === "/blob" ? { body: { message: "large" } } : child(request);
    });
    await run.start();
    await run.waits(0);
    run.complete(0, { ok: true, output: "outputs/1.json", outputType: "application/store" });
    expect(await run.result()).toMatchObject({ ok: true, output: { message: "large" } });
  });

  test("a run that would wait for itself: the server's answer, asked once", async () => {
    const { run, received } = await durable("conflicting", undefined, () => ({
      status: 409,
      body: { error: "Run run_x would wait for itself", code: "waits_on_itself" },
    }));
    await run.start();
    expect(await run.outcome()).toMatchObject({
      retry: null,
      error: { name: "TriggerApiError", message: "Run run_x would wait for itself" },
    });
    expect(received).toHaveLength(1);
  });

  test("triggers and batches are made once, and their failures are repeated from the journal", async () => {
    const { run, received } = await durable("triggering", undefined, (request) => {
      const { path } = request;
      if (path === "/api/v1/tasks/absent/trigger") return { status: 404, body: { error: "no such task" } };
      if (path === "/api/v3/batches")
        return { body: { id: "batch_1", runCount: 2, isCached: false }, headers: { "x-trigger-jwt": "j" } };
      if (path.endsWith("/items")) return { body: { sealed: true } };
      return child(request);
    });
    await run.start();
    await run.waits(3);
    const made = paths(received);
    expect(made).toEqual([
      "POST /api/v1/tasks/hello/trigger",
      "POST /api/v1/tasks/absent/trigger",
      "POST /api/v3/batches",
      "POST /api/v3/batches/batch_1/items",
    ]);
    expect(received[3]!.headers["content-type"]).toBe("application/x-ndjson");
    expect(received[3]!.body).toMatchObject([
      { index: 0, task: "hello", payload: '{"name":"a"}', options: { payloadType: "application/json" } },
      { index: 1, task: "hello", payload: '{"name":"b"}' },
    ]);
    await run.kill();
    run.completeSilently(3);
    await run.start();
    expect(await run.result()).toEqual({
      handle: { id: "run_hello", taskIdentifier: "hello" },
      failed: "NotFoundError 404 no such task",
      many: { batchId: "batch_1", runCount: 2, publicAccessToken: "j", isCached: false },
    });
    expect(paths(received)).toEqual(made);
  });

  test("a batch whose items are streamed; items that did not arrive are sent again", async () => {
    let sent = 0;
    const { run, received } = await durable("batching", undefined, ({ path }) => {
      if (path === "/api/v3/batches") return { body: { id: "batch_1", runCount: 2, isCached: false } };
      if (path.endsWith("/items"))
        return { body: { sealed: ++sent > 1, enqueuedCount: 1, expectedCount: 2 } };
      if (path.includes("/results")) {
        const item = { ok: true, outputType: "text/plain", output: "out", taskIdentifier: "hello" };
        return {
          body: {
            items: [
              { ...item, index: 0, id: "run_1" },
              { ...item, index: 1, id: "run_2" },
            ],
            pagination: {},
          },
        };
      }
      return undefined;
    });
    await run.start();
    await run.waits(0);
    expect(sent).toBe(2);
    const lines = received.find(({ path }) => path.endsWith("/items"))!.body;
    expect(lines).toMatchObject([
      {
        index: 0,
        task: "hello",
        options: {
          tags: ["t"],
          lockToVersion: "20261124.1",
          idempotencyKey: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      },
      { index: 1, task: "add" },
    ]);
    run.complete(0, json({ batchId: "batch_1" }));
    await run.waits(1);
    await run.kill();
    run.completeSilently(1);
    await run.start();
    expect(await run.result()).toMatchObject({
      id: "batch_1",
      runs: [{ id: "run_1", output: "out" }, { id: "run_2" }],
    });
    expect(received.filter(({ method }) => method === "POST")).toHaveLength(3);
  });
});

describe("suspension in memory", () => {
  test("is frozen after everything was sent, and resumes with a new token; its time does not count", async () => {
    const { run, received } = await durable("standing");
    const runtime = await run.start();
    await run.waits(0);
    runtime.send({ type: "suspend", runId: run.run.runId, checkpoint: false });
    const suspended = await runtime.message("suspended");
    expect(suspended).toMatchObject({ waits: [0], token: 7, usageMs: expect.any(Number) });
    expect(paths(received)).toEqual([`PUT /api/v1/runs/${run.run.runId}/metadata`]);
    expect(run.logs).toEqual(["before"]);
    run.complete(0, json(5));
    // The answer to a later request shows that the result has been received but not delivered.
    runtime.send({ type: "suspend", runId: run.run.runId, checkpoint: false });
    await runtime.until(() => runtime.messages.filter((m) => m.type === "suspended").length > 1);
    expect(runtime.messages.some((m) => m.type === "completed")).toBe(false);
    runtime.send({ type: "resume", runId: run.run.runId, token: 8 });
    expect(await run.result()).toMatchObject({ token: 5, closed: 2, same: true, aborted: false });
    expect(await runtime.message("completed")).toMatchObject({ token: 8 });
  });

  test("an active run can't be suspended", async () => {
    const { run } = await durable("steps", "retry");
    run.answers = false;
    const runtime = await run.start();
    await runtime.until(() => run.journal.size > 0);
    runtime.send({ type: "suspend", runId: run.run.runId, checkpoint: false });
    expect(
      await runtime.until(() => runtime.messages.find((m) => m.type === "working" || m.type === "suspended")),
    ).toMatchObject({
      type: "working",
    });
    // Its channel is a file descriptor, which no other process life can have.
    const other = await durable("standing");
    const process = await other.run.start();
    await other.run.waits(0);
    process.send({ type: "suspend", runId: other.run.run.runId, checkpoint: true });
    await process.until(() => process.messages.some((m) => m.type === "working"));
  });

  test("resumed without new results, it reports again that it waits", async () => {
    const { run } = await durable("standing");
    const runtime = await run.start();
    await run.waits(0);
    runtime.send({ type: "suspend", runId: run.run.runId, checkpoint: false });
    await runtime.message("suspended");
    runtime.send({ type: "resume", runId: run.run.runId, token: 9 });
    await runtime.until(() => runtime.messages.filter((m) => m.type === "waiting").length === 2);
    expect(runtime.messages.findLast((m) => m.type === "waiting")).toMatchObject({ token: 9 });
  });
});

describe("checkpoints", () => {
  const listen = (path: string) => {
    const connections: Socket[] = [];
    let wake: (() => void) | undefined;
    const server: Server = createServer((socket) => {
      connections.push(socket);
      wake?.();
    });
    onTestFinished(() => void server.close());
    const accepted = async (count: number): Promise<Socket> => {
      while (connections.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return connections[count - 1]!;
    };
    return new Promise<{ server: Server; accepted: typeof accepted }>((resolve) => {
      server.listen(path, () => resolve({ server, accepted }));
    });
  };
  const closed = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()));

  test("the channel is closed, and connected again until the host answers; memory is as it was", async () => {
    const path = join(folder(), "host.sock");
    const { run, env, received, connections } = await durable("standing");
    const first = await listen(path);
    const runtime = new RuntimeProcess({
      bundle,
      channel: `unix:${path}`,
      env,
    });
    run.follow(runtime);
    const socket = await first.accepted(1);
    runtime.attach(socket);
    await runtime.message("ready");
    runtime.send({ type: "run", run: { ...run.run, maxDuration: undefined } });
    await run.waits(0);
    const gone = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    runtime.send({ type: "suspend", runId: run.run.runId, checkpoint: true });
    await runtime.message("suspended");
    await gone;
    expect(paths(received)).toEqual([`PUT /api/v1/runs/${run.run.runId}/metadata`]);
    // A process with a connection can't be saved, so connections kept for later calls are closed too.
    await vi.waitFor(async () => expect(await connections()).toBe(0));
    await closed(first.server);

    // The connection is tried again if the host closes it before it answered.
    const second = await listen(path);
    const unanswered = await second.accepted(1);
    unanswered.destroy();
    const again = await second.accepted(2);
    runtime.attach(again);
    await runtime.until(() => runtime.messages.filter((m) => m.type === "hello").length > 1);
    expect(runtime.messages.findLast((m) => m.type === "hello")).toEqual(runtime.messages[0]);
    run.complete(0, json("restored"));
    runtime.send({ type: "resume", runId: run.run.runId, token: 12 });
    expect(await run.result()).toMatchObject({ token: "restored", closed: 2 });
    expect(await runtime.message("completed")).toMatchObject({ token: 12 });
    runtime.close();
    expect(await runtime.exited).toEqual({ code: 0, signal: null });
  });

  test("messages of both sides while the channel is being closed are not lost", async () => {
    const path = join(folder(), "host.sock");
    const { run, env, received, connections } = await durable("standing");
    const { accepted } = await listen(path);
    const runtime = new RuntimeProcess({ bundle, channel: `unix:${path}`, env });
    run.follow(runtime);
    const socket = await accepted(1);
    runtime.attach(socket);
    await runtime.message("ready");
    runtime.send({ type: "run", run: { ...run.run, maxDuration: undefined } });
    await run.waits(0);
    // The host is busy, and does not read for a while.
    socket.pause();
    runtime.send({ type: "suspend", runId: run.run.runId, checkpoint: true });
    // The last thing that the run does before it reports that it is frozen.
    await vi.waitFor(async () => {
      expect(received.length).toBe(1);
      expect(await connections()).toBe(0);
    });
    for (let turn = 0; turn < 20; turn++) {
      runtime.send({ type: "journaled", runId: run.run.runId, seq: 1 });
      await connections();
    }
    run.complete(0, json("early"));
    socket.resume();
    await runtime.message("suspended");
    runtime.attach(await accepted(2));
    runtime.send({ type: "resume", runId: run.run.runId, token: run.run.token });
    expect(await run.result()).toMatchObject({ token: "early" });
  });
});
