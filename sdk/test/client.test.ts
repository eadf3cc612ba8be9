import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  ApiConnectionError,
  ApiConnectionTimeoutError,
  ApiError,
  AuthenticationError,
  auth,
  BadRequestError,
  ConflictError,
  configure,
  InternalServerError,
  idempotencyKeys,
  NotFoundError,
  PermissionDeniedError,
  queue,
  queues,
  RateLimitError,
  runs,
  schemaTask,
  tags,
  task,
  tasks,
  UnprocessableEntityError,
} from "../src/index.ts";
import { type Answer, apiServer, type ReceivedRequest } from "./support/api.ts";

const FAST = { minTimeoutInMs: 1, maxTimeoutInMs: 2 };

/** A server, with the client set to call it without long pauses. */
async function api(answer: (request: ReceivedRequest, count: number) => Answer) {
  const server = await apiServer(answer);
  configure({ baseURL: server.url, accessToken: "tr_dev_key", requestOptions: { retry: FAST } });
  return server;
}

const RUN = {
  id: "run_1",
  status: "COMPLETED",
  taskIdentifier: "hello",
  isCompleted: true,
  createdAt: "2026-01-02T03:04:05.000Z",
  updatedAt: "2026-01-02T03:04:06.000Z",
  finishedAt: null,
  output: { message: "hi" },
  relatedRuns: { parent: { id: "run_0", createdAt: "2026-01-01T00:00:00.000Z" } },
};

beforeEach(() => {
  for (const name of [
    "ACME_API_URL",
    "ACME_SECRET_KEY",
    "TRIGGER_API_URL",
    "TRIGGER_SECRET_KEY",
    "TRIGGER_VERSION",
  ]) {
    vi.stubEnv(name, undefined);
  }
});
afterEach(() => {
  configure({});
  vi.unstubAllEnvs();
});

describe("server and key", () => {
  test("a missing setting is named, with a remedy", async () => {
    await expect(tasks.trigger("hello", {})).rejects.toThrow(
      "Which server? Set ACME_API_URL (or TRIGGER_API_URL)",
    );
    configure({ baseURL: "localhost:3030" });
    await expect(tasks.trigger("hello", {})).rejects.toThrow(
      '"localhost:3030" is not the address of a server',
    );
    configure({ baseURL: "http://127.0.0.1:1" });
    await expect(tasks.trigger("hello", {})).rejects.toThrow(
      "No API key: set ACME_SECRET_KEY (or TRIGGER_SECRET_KEY)",
    );
  });

  test("come from the environment, configure(), withAuth() and the call, where later ones take precedence", async () => {
    const server = await api(() => ({ body: { id: "run_1" } }));
    configure({});
    vi.stubEnv("TRIGGER_API_URL", "http://127.0.0.1:1");
    vi.stubEnv("ACME_API_URL", `${server.url}/`);
    vi.stubEnv("TRIGGER_SECRET_KEY", "from-environment");
    await runs.cancel("run_1");
    vi.stubEnv("ACME_SECRET_KEY", "from-acme-environment");
    await runs.cancel("run_1");
    configure({ secretKey: "configured" });
    await runs.cancel("run_1");
    const cancelAs = (accessToken: string) =>
      auth.withAuth({ accessToken }, async () => {
        await Promise.resolve();
        await runs.cancel("run_1");
        await runs.cancel("run_1", { clientConfig: { accessToken: `${accessToken}-call` } });
      });
    await Promise.all([cancelAs("a"), cancelAs("b")]);
    const keys = server.received.map((request) => request.headers.authorization?.replace("Bearer ", ""));
    expect(keys.slice(0, 3)).toEqual(["from-environment", "from-acme-environment", "configured"]);
    expect(keys.slice(3).sort()).toEqual(["a", "a-call", "b", "b-call"]);
    expect(server.received[0]!.path).toBe("/api/v2/runs/run_1/cancel");
  });
});

describe("trigger", () => {
  const shared = queue({ name: "shared" });
  const hello = task({ id: "hello/world", queue: shared, run: async (payload: unknown) => payload });

  test("sends payload and options, and returns a handle", async () => {
    const server = await api(() => ({
      body: { id: "run_9", isCached: true },
      headers: { "x-trigger-jwt": "token" },
    }));
    const handle = await hello.trigger(
      { a: 1 },
      {
        delay: new Date(0),
        tags: ["x"],
        ttl: 60,
        priority: 5,
        concurrencyKey: "user",
        maxAttempts: 2,
        metadata: { m: 1 },
        machine: "micro",
        maxDuration: 10,
        version: "20260101.1",
        idempotencyKeyTTL: "1h",
      },
    );
    expect(handle).toEqual({
      id: "run_9",
      isCached: true,
      taskIdentifier: "hello/world",
      publicAccessToken: "token",
    });
    const [request] = server.received;
    expect(request).toMatchObject({
      method: "POST",
      path: "/api/v1/tasks/hello%2Fworld/trigger",
      headers: {
        authorization: "Bearer tr_dev_key",
        "content-type": "application/json",
        "x-trigger-source": "sdk",
        "x-trigger-request-idempotency-key": expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    });
    expect(request!.headers).not.toHaveProperty("x-trigger-worker");
    expect(request!.body).toEqual({
      payload: { a: 1 },
      options: {
        queue: { name: "shared" },
        payloadType: "application/json",
        delay: "1970-01-01T00:00:00.000Z",
        tags: ["x"],
        ttl: 60,
        priority: 5,
        concurrencyKey: "user",
        maxAttempts: 2,
        metadata: { m: 1 },
        machine: "micro",
        maxDuration: 10,
        lockToVersion: "20260101.1",
        idempotencyKeyTTL: "1h",
      },
    });
  });

  test("unsupported options fail with a clear error", async () => {
    const pinned = { externalDeploymentId: "abc" } as object;
    await expect(hello.trigger({}, pinned)).rejects.toThrow(
      'The trigger option "externalDeploymentId" is not available in Acme yet',
    );
    await expect(hello.trigger({}, { concurrency: ["a", "b", "c"] })).rejects.toThrow("at most two limits");
    await expect(hello.trigger({}, { concurrency: "a b" })).rejects.toThrow("1 to 122 letters");
    const later = hello as unknown as { triggerAndSubscribe(payload: unknown): unknown };
    expect(() => later.triggerAndSubscribe({})).toThrow(
      'Task "hello/world": triggerAndSubscribe() is not available in Acme yet',
    );
  });

  test("payloads of every type", async () => {
    const server = await api(() => ({ body: { id: "run_1" } }));
    const sent = async (payload: unknown) => {
      await tasks.trigger("any", payload, { queue: "other" });
      return server.received.at(-1)!.body;
    };
    expect(await sent("text")).toMatchObject({ payload: "text", options: { payloadType: "text/plain" } });
    expect(await sent(undefined)).toEqual({
      options: { payloadType: "application/json", queue: { name: "other" } },
    });
    expect(await sent(null)).toMatchObject({ payload: null, options: { payloadType: "application/json" } });
    expect(await sent({ at: new Date(0) })).toMatchObject({
      payload: '{"json":{"at":"1970-01-01T00:00:00.000Z"},"meta":{"values":{"at":["Date"]},"v":1}}',
      options: { payloadType: "application/super+json" },
    });
  });

  test("a schema refuses a payload before anything is sent, and its parsed value is sent", async () => {
    const server = await api(() => ({ body: { id: "run_1" } }));
    const even = schemaTask({
      id: "even",
      schema: (input: unknown) => {
        if (typeof input !== "number" || input % 2 !== 0) throw new Error("not even");
        return { even: input };
      },
      run: async (payload) => payload,
    });
    await expect(tasksTrigger(even, 3)).rejects.toThrow("not even");
    expect(server.received).toHaveLength(0);
    await tasksTrigger(even, 4);
    expect(server.received[0]!.body).toMatchObject({ payload: { even: 4 } });
  });
  const tasksTrigger = (target: { trigger(payload: never): Promise<unknown> }, payload: unknown) =>
    target.trigger(payload as never);
});

describe("retries", () => {
  test.each([408, 409, 429, 500, 503])("after %d, with the same request idempotency key", async (status) => {
    const server = await api((_, count) =>
      count < 3 ? { status, body: { error: "later" } } : { body: { id: "run_1" } },
    );
    expect(await runs.cancel("run_1")).toEqual({ id: "run_1" });
    const keys = server.received.map((request) => request.headers["x-trigger-request-idempotency-key"]);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });

  test("after a lost connection", async () => {
    const server = await api((_, count) => (count === 1 ? { hangUp: true } : { body: { id: "run_1" } }));
    expect(await runs.cancel("run_1")).toEqual({ id: "run_1" });
    expect(server.received).toHaveLength(2);
  });

  test("at most three attempts, or as many as asked for", async () => {
    const server = await api(() => ({ status: 500, body: { error: "broken" } }));
    await expect(runs.cancel("run_1")).rejects.toThrow(InternalServerError);
    expect(server.received).toHaveLength(3);
    await expect(runs.cancel("run_1", { retry: { maxAttempts: 1 } })).rejects.toThrow("broken");
    expect(server.received).toHaveLength(4);
  });

  test("not before the time that a rate limit states", async () => {
    const at: number[] = [];
    await api((_, count) => {
      at.push(Date.now());
      return count === 1
        ? { status: 429, headers: { "retry-after": "1" }, body: { error: "slow down" } }
        : { body: { id: "run_1" } };
    });
    await runs.cancel("run_1");
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(999);
  });

  test("never if the server says so, and never after an error of the caller", async () => {
    const server = await api((request) =>
      request.path.includes("run_a")
        ? { status: 500, headers: { "x-should-retry": "false" }, body: { error: "for good" } }
        : { status: 400, body: { error: "bad" } },
    );
    await expect(runs.cancel("run_a")).rejects.toThrow("for good");
    await expect(runs.cancel("run_b")).rejects.toThrow("bad");
    expect(server.received).toHaveLength(2);
  });
});

describe("errors", () => {
  test.each([
    [400, BadRequestError],
    [401, AuthenticationError],
    [403, PermissionDeniedError],
    [404, NotFoundError],
    [409, ConflictError],
    [413, ApiError],
    [422, UnprocessableEntityError],
    [429, RateLimitError],
    [502, InternalServerError],
  ])("%d has its class, with message, code, body and headers", async (status, Class) => {
    await api(() => ({ status, headers: { "x-more": "1" }, body: { error: "Say why", code: "a_code" } }));
    const error: ApiError = await runs.retrieve("run_1", { retry: { maxAttempts: 1 } }).then(
      () => expect.unreachable(),
      (thrown) => thrown,
    );
    expect(error.constructor).toBe(Class);
    expect(error).toMatchObject({
      name: "TriggerApiError",
      status,
      message: "Say why",
      code: "a_code",
      body: { error: "Say why", code: "a_code" },
    });
    expect(error.headers?.["x-more"]).toBe("1");
  });

  test("the error of a rate limit says when it ends", () => {
    const reset = (headers: Record<string, string>) =>
      new RateLimitError(429, "slow", undefined, headers).millisecondsUntilReset;
    const byDate = reset({ "x-ratelimit-reset": String(Date.now() + 10_000) });
    expect(byDate).toBeGreaterThan(9_000);
    expect(byDate).toBeLessThanOrEqual(12_000);
    expect(reset({ "retry-after": "3" })).toBeGreaterThanOrEqual(3_000);
    expect(reset({})).toBeUndefined();
  });

  test("a server that is unreachable, does not answer, or is not Acme", async () => {
    configure({ baseURL: "http://127.0.0.1:1", accessToken: "k", requestOptions: { retry: FAST } });
    await expect(runs.cancel("run_1")).rejects.toThrow(ApiConnectionError);
    await expect(runs.cancel("run_1")).rejects.toThrow("http://127.0.0.1:1 could not be reached");
    await api((request) => (request.path.includes("silent") ? { silent: true } : { body: "<html>" }));
    const options = { timeoutInMs: 50, retry: { maxAttempts: 1 } };
    await expect(runs.cancel("silent", options)).rejects.toThrow(ApiConnectionTimeoutError);
    await expect(runs.cancel("silent", options)).rejects.toThrow("did not answer within 50 ms");
    await expect(runs.cancel("run_1")).rejects.toThrow("answered 200 with a body that is not JSON");
  });

  test("an aborted signal ends the call with its reason, also between attempts", async () => {
    const controller = new AbortController();
    await api(() => {
      controller.abort(new Error("changed my mind"));
      return { status: 500, body: {} };
    });
    const slow = { minTimeoutInMs: 60_000, maxTimeoutInMs: 60_000 };
    await expect(runs.cancel("run_1", { signal: controller.signal, retry: slow })).rejects.toThrow(
      "changed my mind",
    );
  });
});

describe("runs", () => {
  test("retrieve returns dates, and accepts a handle", async () => {
    const server = await api(() => ({ body: RUN }));
    const run = await runs.retrieve({ id: "run_1", taskIdentifier: "hello" });
    expect(run.createdAt).toEqual(new Date("2026-01-02T03:04:05.000Z"));
    expect(run.finishedAt).toBeUndefined();
    expect(run.relatedRuns.parent?.createdAt).toEqual(new Date("2026-01-01T00:00:00.000Z"));
    expect(run.output).toEqual({ message: "hi" });
    expect(server.received[0]).toMatchObject({ method: "GET", path: "/api/v3/runs/run_1" });
    const { response } = await runs.retrieve("run_1").withResponse();
    expect(response.status).toBe(200);
    expect((await runs.retrieve("run_1").asResponse()).headers.get("content-type")).toBe("application/json");
  });

  test("retrieve downloads packets that are stored elsewhere", async () => {
    await api(({ path, headers }) =>
      path === "/stored"
        ? {
            headers: { "content-type": "application/super+json; charset=utf-8" },
            body: '{"json":"1970-01-01T00:00:00.000Z","meta":{"values":["Date"],"v":1}}',
          }
        : { body: { ...RUN, output: undefined, outputPresignedUrl: `http://${headers.host}/stored` } },
    );
    expect((await runs.retrieve("run_1")).output).toEqual(new Date(0));
  });

  test("poll waits for a final state", async () => {
    const server = await api((_, count) => ({ body: { ...RUN, isCompleted: count >= 3 } }));
    expect((await runs.poll("run_1", { pollIntervalMs: 1 })).isCompleted).toBe(true);
    expect(server.received).toHaveLength(3);
  });

  test("list goes through all pages, with filters", async () => {
    const server = await api(({ path }) => {
      const after = new URL(path, "http://x").searchParams.get("page[after]");
      return after === "two"
        ? { body: { data: [RUN], pagination: { previous: "one" } } }
        : { body: { data: [RUN, RUN], pagination: { next: "two" } } };
    });
    const ids: string[] = [];
    for await (const run of runs.list({
      status: ["COMPLETED", "FAILED"],
      taskIdentifier: "hello",
      tag: ["a", "b"],
      from: new Date(5),
      period: "1d",
      isTest: false,
      queue: [
        { type: "task", name: "hello" },
        { type: "custom", name: "shared" },
      ],
      limit: 2,
    })) {
      expect(run.createdAt).toBeInstanceOf(Date);
      ids.push(run.id);
    }
    expect(ids).toHaveLength(3);
    expect(Object.fromEntries(new URL(server.received[0]!.path, "http://x").searchParams)).toEqual({
      "filter[status]": "COMPLETED,FAILED",
      "filter[taskIdentifier]": "hello",
      "filter[tag]": "a,b",
      "filter[createdAt][from]": "5",
      "filter[createdAt][period]": "1d",
      "filter[isTest]": "false",
      "filter[queue]": "task/hello,shared",
      "page[size]": "2",
    });
    const page = await runs.list();
    expect([page.data.length, page.hasNextPage(), page.hasPreviousPage()]).toEqual([2, true, false]);
    const next = await page.getNextPage();
    expect([next.data.length, next.hasNextPage(), next.hasPreviousPage()]).toEqual([1, false, true]);
    expect(() => next.getNextPage()).toThrow("No next page available");
    await runs.list("proj_a", { env: ["dev", "prod"] });
    expect(server.received.at(-1)!.path).toBe("/api/v1/projects/proj_a/runs?filter%5Benv%5D=dev%2Cprod");
  });

  test("cancel, replay and reschedule", async () => {
    const server = await api(() => ({ body: RUN }));
    await runs.replay("run_1");
    await runs.replay("run_1", { payload: { at: new Date(0) }, tags: ["x"] });
    await runs.replay("run_1", { payload: "text" });
    await runs.reschedule("run_1", { delay: new Date(0) });
    expect(server.received.map(({ method, path, body }) => ({ method, path, body }))).toEqual([
      { method: "POST", path: "/api/v1/runs/run_1/replay", body: undefined },
      {
        method: "POST",
        path: "/api/v1/runs/run_1/replay",
        body: {
          payload: '{"json":{"at":"1970-01-01T00:00:00.000Z"},"meta":{"values":{"at":["Date"]},"v":1}}',
          payloadType: "application/super+json",
          tags: ["x"],
        },
      },
      {
        method: "POST",
        path: "/api/v1/runs/run_1/replay",
        body: { payload: "text", payloadType: "application/json" },
      },
      { method: "POST", path: "/api/v1/runs/run_1/reschedule", body: { delay: "1970-01-01T00:00:00.000Z" } },
    ]);
    expect(() => runs.cancel("")).toThrow("A run is identified by its id");
  });
});

describe("outside a task", () => {
  test("tags.add says that it needs a run", async () => {
    await expect(tags.add("a")).rejects.toThrow("tags.add() can only be called inside a task's run");
  });
});

describe("queues", () => {
  const limit = {
    current: 2,
    base: 1,
    override: 2,
    overriddenAt: "2027-01-02T03:04:05.000Z",
    overriddenBy: null,
  };
  const none = { current: null, base: null, override: null, overriddenAt: null, overriddenBy: null };
  const item = {
    id: "queue_1",
    concurrency: limit,
    totalConcurrency: none,
    rateLimit: none,
    rateLimitPerKey: none,
    partitions: none,
  };

  test("are retrieved, paused and limited by id, or by type and name", async () => {
    const server = await api(() => ({ body: item }));
    const found = await queues.retrieve({ type: "task", name: "a/b" });
    expect(found.concurrency.overriddenAt).toEqual(new Date("2027-01-02T03:04:05.000Z"));
    expect(found.totalConcurrency.overriddenAt).toBeNull();
    await queues.pause("queue_1");
    await queues.resume("queue_1");
    await queues.overrideConcurrencyLimit("queue_1", 2);
    await queues.overrideConcurrencyLimit("queue_1", { totalConcurrencyLimit: 9 });
    await queues.resetConcurrencyLimit("queue_1");
    await queues.overrideRateLimit("queue_1", {
      rateLimit: { limit: 1, period: "1m" },
      rateLimitPerKey: null,
    });
    await queues.resetRateLimit("queue_1");
    await queues.overridePartitions("queue_1", 4);
    await queues.resetPartitions("queue_1");
    expect(server.received.map(({ method, path, body }) => [method, path, body])).toEqual([
      ["GET", "/api/v1/queues/a%2Fb?type=task", undefined],
      ["POST", "/api/v1/queues/queue_1/pause", { type: "id", action: "pause" }],
      ["POST", "/api/v1/queues/queue_1/pause", { type: "id", action: "resume" }],
      ["POST", "/api/v1/queues/queue_1/concurrency/override", { type: "id", concurrencyLimit: 2 }],
      ["POST", "/api/v1/queues/queue_1/concurrency/override", { type: "id", totalConcurrencyLimit: 9 }],
      ["POST", "/api/v1/queues/queue_1/concurrency/reset", { type: "id" }],
      [
        "POST",
        "/api/v1/queues/queue_1/rate-limit/override",
        { type: "id", rateLimit: { limit: 1, period: "1m" }, rateLimitPerKey: null },
      ],
      ["POST", "/api/v1/queues/queue_1/rate-limit/reset", { type: "id" }],
      ["POST", "/api/v1/queues/queue_1/partitions/override", { type: "id", partitions: 4 }],
      ["POST", "/api/v1/queues/queue_1/partitions/reset", { type: "id" }],
    ]);
  });

  test("are listed page by page", async () => {
    const server = await api(({ path }) => ({
      body: {
        data: [item],
        pagination: { currentPage: path.includes("page=2") ? 2 : 1, totalPages: 2, count: 2 },
      },
    }));
    const seen: string[] = [];
    for await (const { id } of queues.list({ perPage: 1 })) seen.push(id);
    expect(seen).toEqual(["queue_1", "queue_1"]);
    expect(server.received.map(({ path }) => path)).toEqual([
      "/api/v1/queues?perPage=1",
      "/api/v1/queues?page=2&perPage=1",
    ]);
  });
});

describe("idempotency keys", () => {
  const sha = (text: string) => createHash("sha256").update(text).digest("hex");

  test("are the hash of their material", async () => {
    expect(await idempotencyKeys.create(["a", "b"])).toBe(sha("a-b"));
    expect(await idempotencyKeys.create("a", { scope: "global" })).toBe(sha("a"));
  });

  test("of a trigger: text is hashed, a created key is sent unchanged, both with their origins", async () => {
    const server = await api(() => ({ body: { id: "run_1" } }));
    const created = await idempotencyKeys.create("made", { scope: "global" });
    await tasks.trigger("t", {}, { idempotencyKey: "text" });
    await tasks.trigger("t", {}, { idempotencyKey: ["x", "y"] });
    await tasks.trigger("t", {}, { idempotencyKey: created });
    expect(server.received.map((request) => (request.body as { options: object }).options)).toMatchObject([
      { idempotencyKey: sha("text"), idempotencyKeyOptions: { key: "text", scope: "run" } },
      { idempotencyKey: sha("x-y"), idempotencyKeyOptions: { key: "x-y", scope: "run" } },
      { idempotencyKey: created, idempotencyKeyOptions: { key: "made", scope: "global" } },
    ]);
  });

  test("reset finds the key that the trigger sent", async () => {
    const server = await api(({ path }) =>
      path.includes("f".repeat(64)) ? { status: 404, body: { error: "no such key" } } : { body: { id: "k" } },
    );
    const created = await idempotencyKeys.create("made", { scope: "global" });
    await idempotencyKeys.reset("t", created);
    await idempotencyKeys.reset("t", "made", { scope: "global" });
    await idempotencyKeys.reset("t", "made", { scope: "run", parentRunId: "run_1" });
    await idempotencyKeys.reset("t", ["made"], { scope: "attempt", parentRunId: "run_1", attemptNumber: 2 });
    await idempotencyKeys.reset("t", "f".repeat(64), { scope: "global" });
    const key = (hash: string) => `/api/v1/idempotencyKeys/${hash}/reset`;
    expect(server.received.map((request) => request.path)).toEqual([
      key(sha("made")),
      key(sha("made")),
      key(sha("made-run_1")),
      key(sha("made-run_1-2")),
      key("f".repeat(64)),
      key(sha("f".repeat(64))),
    ]);
    expect(server.received[0]!.body).toEqual({ taskIdentifier: "t" });
    await expect(idempotencyKeys.reset("t", "made")).rejects.toThrow(
      'the scope "run" needs parentRunId when it is called outside of a task',
    );
  });
});
