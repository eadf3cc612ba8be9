import { abortAllDurableObjects } from "cloudflare:test";
import { LIMITS, newRunId, parseRunId } from "@acme/sdk/contract";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { call, callAsHost, deploy, newProject, type Project } from "./client.ts";

let project: Project;
beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["hello"]);
});

const trigger = (body: unknown, key = project.prod, task = "hello") =>
  call<{ id: string; error: string; code: string }>("POST", `/api/v1/tasks/${task}/trigger`, key, body);

const listed = async () =>
  (await call<{ data: unknown[] }>("GET", "/api/v1/runs?page[size]=100", project.prod)).body.data;

describe("an invalid request gets a clear error, and changes nothing", () => {
  const cases: [string, number, string, () => Promise<{ status: number; body: { code?: unknown } }>][] = [
    ["no key", 401, "missing_api_key", () => call("POST", "/api/v1/tasks/hello/trigger", null, {})],
    ["a wrong key", 401, "invalid_api_key", () => trigger({}, "tr_prod_wrong")],
    ["a token that nobody signed", 401, "invalid_api_key", () => trigger({}, "a.b.c")],
    ["an unknown task", 404, "task_not_found", () => trigger({}, project.prod, "nope")],
    ["no JSON", 400, "invalid_json", () => trigger("{")],
    ["an empty body", 400, "empty_body", () => trigger("")],
    ["no object", 400, "invalid_request", () => trigger("[1]")],
    ["an option there isn't yet", 400, "invalid_request", () => trigger({ options: { gates: ["one"] } })],
    [
      "metadata over the limit, counted in bytes",
      413,
      "metadata_too_large",
      () => trigger({ options: { metadata: { text: "ä".repeat(LIMITS.metadataBytes / 2) } } }),
    ],
    ["metadata that is a list", 400, "invalid_metadata", () => trigger({ options: { metadata: [1] } })],
    [
      "a payload over the limit",
      413,
      "payload_too_large",
      () => trigger({ payload: "x".repeat(LIMITS.triggerBodyBytes) }),
    ],
    ["an invalid delay", 400, "invalid_request", () => trigger({ options: { delay: "soon" } })],
    [
      "too many tags",
      400,
      "invalid_request",
      () => trigger({ options: { tags: Array.from({ length: 11 }, (_, n) => `${n}`) } }),
    ],
    ["metadata that is no object", 400, "invalid_metadata", () => trigger({ options: { metadata: "[1]" } })],
    [
      "a version that was never deployed",
      404,
      "version_not_found",
      () => trigger({ options: { lockToVersion: "20200101.1" } }),
    ],
    [
      "an unknown parent",
      404,
      "run_not_found",
      () => trigger({ options: { parentRunId: newRunId("0".repeat(18)) } }),
    ],
    ["an unknown machine", 400, "invalid_request", () => trigger({ options: { machine: "huge" } })],
    ["an unknown run", 404, "run_not_found", () => call("GET", "/api/v3/runs/run_nope", project.prod)],
    [
      "an invalid cursor",
      400,
      "invalid_request",
      () => call("GET", "/api/v1/runs?page[after]=garbage", project.prod),
    ],
    [
      "an invalid filter",
      400,
      "invalid_request",
      () => call("GET", "/api/v1/runs?filter[status]=DONE", project.prod),
    ],
    ["an unknown route", 404, "route_not_found", () => call("GET", "/api/v9/nothing", project.prod)],
    [
      "a method that a route of exporters does not have",
      404,
      "route_not_found",
      () => call("GET", "/otel/v1/traces", project.prod),
    ],
    [
      "a wrong credential of a host",
      401,
      "host_not_registered",
      () => call("POST", "/engine/v1/worker-actions/dequeue", "wrong", {}),
    ],
    [
      "a wrong access token",
      401,
      "invalid_access_token",
      () => call("GET", `/api/v1/projects/${project.ref}/prod/deployments`, "tr_pat_x"),
    ],
    [
      "an unknown environment",
      404,
      "environment_not_found",
      () => call("GET", `/api/v1/projects/${project.ref}/nope/deployments`, project.accessToken),
    ],
    [
      "a bundle that was damaged",
      422,
      "content_hash_mismatch",
      () =>
        call(
          "PUT",
          `/api/v1/projects/${project.ref}/prod/bundles/${"0".repeat(64)}`,
          project.accessToken,
          "x",
        ),
    ],
    [
      "a deployment without its bundle",
      422,
      "bundle_not_found",
      () =>
        call("POST", `/api/v1/projects/${project.ref}/prod/deployments`, project.accessToken, {
          contentHash: "0".repeat(64),
          manifest: { tasks: [] },
        }),
    ],
  ];

  it.each(cases)("%s: %i %s", async (_what, status, code, send) => {
    const before = await listed();
    const answer = await send();
    expect(answer.status).toBe(status);
    expect(answer.body.code).toBe(code);
    expect((answer.body as unknown as { error: string }).error.length).toBeGreaterThan(10);
    expect(await listed()).toEqual(before);
  });
});

describe("another environment's run", () => {
  it("can neither be read nor changed, and stays as it was", async () => {
    const { id } = (await trigger({ options: { delay: "1h" } })).body;
    const other = await newProject();
    const paths: [string, string][] = [
      ["GET", `/api/v3/runs/${id}`],
      ["GET", `/api/v1/runs/${id}/result`],
      ["GET", `/api/v1/runs/${id}/events`],
      ["GET", `/api/v1/runs/${id}/attempts`],
      ["GET", `/api/v1/runs/${id}/metadata`],
      ["POST", `/api/v2/runs/${id}/cancel`],
      ["POST", `/api/v1/runs/${id}/replay`],
    ];
    for (const key of [project.dev, other.prod]) {
      for (const [method, path] of paths) expect((await call(method, path, key)).status, path).toBe(404);
      expect((await call("POST", `/api/v1/runs/${id}/tags`, key, { tags: "t" })).status).toBe(404);
      expect((await call("POST", `/api/v1/runs/${id}/reschedule`, key, { delay: "2h" })).status).toBe(404);
      expect((await call("PUT", `/api/v1/runs/${id}/metadata`, key, { metadata: { a: 1 } })).status).toBe(
        404,
      );
    }
    const run = (await call("GET", `/api/v3/runs/${id}`, project.prod)).body;
    expect(run).toMatchObject({ status: "DELAYED", tags: [] });
    expect(run.metadata).toBeUndefined();
  });
});

describe("a trigger that waits", () => {
  const path = "/api/v1/tasks/hello/trigger";

  it("has the result in its answer", async () => {
    const options = { idempotencyKey: "waited-for" };
    const answer = call<{ id: string; result: unknown }>("POST", `${path}?wait=20`, project.prod, {
      options,
    });
    const host = { protocol: 1, hostId: "host-1", sessionId: "session-1" };
    const run = await until(async () => {
      const { body } = await callAsHost<{ runs: { runId: string; token: number; apiToken: string }[] }>(
        "dequeue",
        { ...host, max: 100, waitMs: 500 },
      );
      return body.runs.find(({ runId }) => parseRunId(runId)?.environmentKey === project.prodKey);
    });
    const { runId, token } = run;
    const outcome = { type: "success", output: '{"ok":true}', outputType: "application/json" };
    await callAsHost("report", {
      ...host,
      completed: [{ runId, token, completedAt: Date.now(), outcome }],
    });
    expect(await answer).toMatchObject({
      status: 200,
      body: { id: runId, result: { ok: true, id: runId, output: '{"ok":true}', usage: {} } },
    });
    // An earlier run, which is in another queue.
    const again = { options: { ...options, queue: { name: "elsewhere" } } };
    expect((await call("POST", `${path}?wait=20`, project.prod, again)).body).toMatchObject({
      id: runId,
      isCached: true,
      result: { ok: true, output: '{"ok":true}' },
    });
  });

  it("has none if the run takes longer", async () => {
    const { status, body } = await call<{ id: string }>("POST", `${path}?wait=0.05`, project.prod, {});
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(["id", "isCached"]);
    await call("POST", `/api/v2/runs/${body.id}/cancel`, project.prod);
  });

  it.each(["soon", "61", "-1", ""])("for %j seconds is refused, and triggers nothing", async (wait) => {
    const idempotencyKey = `wait-${wait}`;
    const refused = await call<{ code: string }>("POST", `${path}?wait=${wait}`, project.prod, {
      options: { idempotencyKey },
    });
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    const next = await call<{ id: string; isCached: boolean }>("POST", path, project.prod, {
      options: { idempotencyKey },
    });
    expect(next.body.isCached).toBe(false);
    await call("POST", `/api/v2/runs/${next.body.id}/cancel`, project.prod);
  });
});

describe("a run", () => {
  it("goes through a host to its result, with its timeline, attempts and logs", async () => {
    const { id } = (await trigger({ payload: { n: 1 }, options: { metadata: { step: 0 }, tags: ["a"] } }))
      .body;
    const host = { protocol: 1, hostId: "host-1", sessionId: "session-1" };
    const dequeued = await until(async () => {
      const answer = await callAsHost<{ runs: { runId: string; token: number; apiToken: string }[] }>(
        "dequeue",
        { ...host, max: 100, waitMs: 500 },
      );
      return answer.body.runs.find((run) => run.runId === id);
    });
    const waiting = call("GET", `/api/v1/runs/${id}/result?wait=20`, project.prod);
    const report = await callAsHost("report", {
      ...host,
      started: [{ runId: id, token: dequeued.token, startedAt: Date.now() }],
      completed: [
        {
          runId: id,
          token: dequeued.token,
          completedAt: Date.now(),
          outcome: { type: "success", output: '{"ok":true}', outputType: "application/json" },
        },
      ],
      logs: [
        {
          runId: id,
          apiToken: dequeued.apiToken,
          attempt: 1,
          entries: [{ time: Date.now(), level: "info", message: "hello from the run" }],
        },
      ],
    });
    expect(report.body).toMatchObject({ started: ["ok"], completed: ["ok"], heartbeats: [] });
    expect((await waiting).body).toMatchObject({ ok: true, id, output: '{"ok":true}' });
    const run = (await call("GET", `/api/v3/runs/${id}`, project.prod)).body;
    expect(run).toMatchObject({
      status: "COMPLETED",
      payload: { n: 1 },
      output: { ok: true },
      metadata: { step: 0 },
    });
    const events = (
      await call<{ events: { message: string }[] }>("GET", `/api/v1/runs/${id}/events`, project.prod)
    ).body.events;
    expect(events.map((event) => event.message)).toContain("hello from the run");
    const attempts = (await call("GET", `/api/v1/runs/${id}/attempts`, project.prod)).body;
    expect(attempts).toMatchObject({ attempts: [{ number: 1, status: "COMPLETED", hostId: "host-1" }] });
    await until(async () => JSON.stringify(await listed()).includes(id));
  });

  it("with a payload too large for its queue keeps it in the blob store", async () => {
    const payload = { text: "ä".repeat(150_000) };
    const { id } = (await trigger({ payload, options: { delay: "1h" } })).body;
    expect((await call("GET", `/api/v3/runs/${id}`, project.prod)).body).toMatchObject({ payload });
  });

  it("of an environment without any deployment waits for one", async () => {
    const { id } = (await trigger({}, project.dev)).body;
    expect((await call("GET", `/api/v3/runs/${id}`, project.dev)).body).toMatchObject({
      status: "PENDING_VERSION",
    });
  });

  it("can be locked to a version, also for a task that the current one lacks", async () => {
    const other = await newProject();
    const first = await deploy(other, ["hello", "old"]);
    const second = await deploy(other, ["hello", "more"]);
    const old = (await trigger({ options: { lockToVersion: first } }, other.prod, "old")).body;
    expect((await call("GET", `/api/v3/runs/${old.id}`, other.prod)).body).toMatchObject({
      status: "QUEUED",
      version: first,
    });
    for (const [task, lockToVersion] of [
      ["more", first],
      ["old", second],
    ] as const) {
      expect(await trigger({ options: { lockToVersion } }, other.prod, task)).toMatchObject({
        status: 404,
        body: { code: "task_not_found", error: expect.stringContaining(lockToVersion) },
      });
    }
    const { id } = (await trigger({ options: { lockToVersion: first } }, other.prod)).body;
    expect((await call("GET", `/api/v3/runs/${id}`, other.prod)).body).toMatchObject({ version: first });
  });
});

describe("a call that is sent again because its answer was lost", () => {
  const send = (
    key: string,
    path = "/api/v1/tasks/hello/trigger",
    secretKey = project.prod,
    body: object = {},
  ) =>
    call<{ id: string; isCached: boolean }>("POST", path, secretKey, body, {
      "x-trigger-request-idempotency-key": key,
    });

  it("gives one run, also when both race and after its object was evicted", async () => {
    const key = crypto.randomUUID();
    const both = await Promise.all([send(key), send(key)]);
    await abortAllDurableObjects();
    const later = await send(key);
    const ids = new Set([...both, later].map(({ body }) => body.id));
    expect(ids.size).toBe(1);
    expect(later.body.isCached).toBe(false);
    const [id] = [...ids] as [string];
    expect((await call("GET", `/api/v3/runs/${id}`, project.prod)).body.idempotencyKey).toBeUndefined();

    const others = [send(crypto.randomUUID()), send(key, undefined, project.dev)];
    for (const { body } of await Promise.all(others)) expect(body.id).not.toBe(id);
  });

  it("replays once", async () => {
    const { id } = (await trigger({ options: { delay: "1h" } })).body;
    const key = crypto.randomUUID();
    const [first, second] = [
      await send(key, `/api/v1/runs/${id}/replay`),
      await send(key, `/api/v1/runs/${id}/replay`),
    ];
    expect(second.body.id).toBe(first.body.id);
    expect(first.body.id).not.toBe(id);
  });

  it("uses the trigger's own idempotency key if there is one", async () => {
    const body = (idempotencyKey: string) => ({ options: { idempotencyKey, delay: "1h" } });
    const unique = crypto.randomUUID();
    const one = await send(unique, undefined, project.prod, body(`one-${unique}`));
    const again = await send(unique, undefined, project.prod, body(`one-${unique}`));
    const two = await send(unique, undefined, project.prod, body(`two-${unique}`));
    expect(again.body).toEqual({ id: one.body.id, isCached: true });
    expect(two.body.id).not.toBe(one.body.id);
  });
});

describe("a replay", () => {
  const replay = (id: string, body?: unknown) =>
    call<{ id: string; code: string }>("POST", `/api/v1/runs/${id}/replay`, project.prod, body);
  const retrieve = async (id: string) => (await call("GET", `/api/v3/runs/${id}`, project.prod)).body;

  it("has the original's payload and options, except for those that the request overrides", async () => {
    const options = { metadata: { a: 1 }, tags: ["one"], queue: { name: "first" }, maxAttempts: 7 };
    const { id } = (await trigger({ payload: { n: 1 }, options: { ...options, delay: "1h" } })).body;
    const same = await retrieve((await replay(id)).body.id);
    expect(same).toMatchObject({ payload: { n: 1 }, metadata: { a: 1 }, tags: ["one"], queue: "first" });
    const other = await replay(id, {
      payload: { n: 2 },
      metadata: { b: 2 },
      tags: ["two"],
      queue: "second",
      delay: "2h",
      ttl: "3h",
      idempotencyKey: `replay-${id}`,
    });
    expect(await retrieve(other.body.id)).toMatchObject({
      status: "DELAYED",
      payload: { n: 2 },
      metadata: { b: 2 },
      tags: ["two"],
      queue: "second",
      ttl: "10800s",
      idempotencyKey: `replay-${id}`,
    });
    const again = await replay(id, { idempotencyKey: `replay-${id}` });
    expect(again.body.id).toBe(other.body.id);
  });

  it("can be locked to a version, and refuses what it doesn't know", async () => {
    const { id } = (await trigger({ options: { delay: "1h" } })).body;
    expect(await replay(id, { version: "20200101.1" })).toMatchObject({
      status: 404,
      body: { code: "version_not_found" },
    });
    for (const body of [{ debounce: {} }, { payload: {}, payloadType: "application/super+json" }]) {
      expect(await replay(id, body)).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    }
  });
});

describe("a page of any origin", () => {
  const origin = "https://example.com";

  it("may call the API with its token, and can read errors and limits too", async () => {
    const preflight = await call("OPTIONS", "/api/v1/tasks/hello/trigger", null, undefined, {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,x-trigger-source",
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("x-trigger-source");
    const { id } = (await trigger({ options: { delay: "1h" } })).body;
    for (const [path, status] of [
      [`/api/v3/runs/${id}`, 200],
      ["/api/v3/runs/run_nope", 404],
      ["/api/v1/runs?page[size]=0", 400],
    ] as const) {
      const answer = await call("GET", path, project.prod, undefined, { origin });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      expect(answer.headers.get("access-control-expose-headers")).toContain("x-ratelimit-reset");
    }
  });

  it("may not call routes of hosts and administrators", async () => {
    for (const path of ["/engine/v1/worker-actions/dequeue", "/admin/v1/bootstrap"]) {
      const answer = await call("OPTIONS", path, null, undefined, {
        origin,
        "access-control-request-method": "POST",
      });
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

describe("a deployment", () => {
  it("to the dev environment is refused: that one runs on the developer's machine", async () => {
    const answer = await call(
      "POST",
      `/api/v1/projects/${project.ref}/dev/deployments`,
      project.accessToken,
      {
        contentHash: "0".repeat(64),
        manifest: { tasks: [] },
      },
    );
    expect(answer).toMatchObject({ status: 422, body: { code: "development_environment" } });
  });

  it("is listed newest first, and an older one can be promoted again", async () => {
    const other = await newProject();
    const first = await deploy(other, ["one"]);
    const second = await deploy(other, ["two"]);
    const base = `/api/v1/projects/${other.ref}/prod/deployments`;
    const list = (await call<{ data: { version: string }[] }>("GET", base, other.accessToken)).body.data;
    expect(list.map((item) => item.version)).toEqual([second, first]);
    expect((await trigger({}, other.prod, "one")).status).toBe(404);
    const current = async () =>
      (
        await call<{ data: { version: string; promoted: boolean }[] }>("GET", base, other.accessToken)
      ).body.data
        .filter(({ promoted }) => promoted)
        .map(({ version }) => version);
    expect(await current()).toEqual([second]);
    await call("POST", `${base}/${first}/promote`, other.accessToken);
    expect((await trigger({}, other.prod, "one")).status).toBe(200);
    expect(await current()).toEqual([first]);
  });

  it("is retrieved with what its code declares", async () => {
    const other = await newProject();
    const version = await deploy(other, ["one"]);
    const base = `/api/v1/projects/${other.ref}/prod/deployments`;
    const found = await call("GET", `${base}/${version}`, other.accessToken);
    expect(found).toMatchObject({
      status: 200,
      body: { version, promoted: true, manifest: { tasks: [{ id: "one" }] } },
    });
    expect(await call("GET", `${base}/20200101.1`, other.accessToken)).toMatchObject({
      status: 404,
      body: { code: "version_not_found" },
    });
  });
});

describe("rate limits", () => {
  it("are in the headers of every response, including errors", async () => {
    const other = await newProject();
    for (const path of ["/api/v1/runs", "/api/v3/runs/run_nope", "/api/v1/runs?page[size]=0"]) {
      const { headers } = await call("GET", path, other.prod);
      expect(headers.get("x-ratelimit-limit")).toBe("300");
      expect(Number(headers.get("x-ratelimit-remaining"))).toBeGreaterThan(200);
      expect(Number(headers.get("x-ratelimit-reset"))).toBeGreaterThan(0);
    }
  });

  it("let a burst at one moment through up to the limit", async () => {
    const other = await newProject();
    const burst = () =>
      Promise.all(Array.from({ length: 120 }, () => call("GET", "/api/v3/runs/run_nope", other.prod)));
    const answers = [...(await burst()), ...(await burst())];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]));
  });

  it("answer 429 with the time of the next try, and count by key", async () => {
    const other = await newProject();
    let limited: Awaited<ReturnType<typeof call>> | undefined;
    for (let n = 0; n < 1_000 && !limited; n++) {
      const answer = await call("GET", "/api/v3/runs/run_nope", other.prod);
      if (answer.status === 429) limited = answer;
    }
    expect(limited?.body).toMatchObject({ code: "rate_limited" });
    expect(Number(limited?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(limited?.headers.get("x-ratelimit-limit")).toBe("300");
    expect(limited?.headers.get("x-ratelimit-remaining")).toBe("0");
    expect(Number(limited?.headers.get("x-ratelimit-reset"))).toBeGreaterThan(0);
    expect((await call("GET", "/api/v3/runs/run_nope", other.dev)).status).toBe(404);
  });
});

describe("the server", () => {
  it("is healthy when an object and the database answer", async () => {
    expect(await call("GET", "/healthz", null)).toMatchObject({ status: 200, body: { ok: true } });
  });

  describe("describes its API", () => {
    interface Document {
      openapi: string;
      paths: Record<string, Record<string, Described>>;
      components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
    }
    interface Described {
      operationId: string;
      security: Record<string, unknown>[];
      parameters: { name: string; in: string }[];
      requestBody?: { content: Record<string, { schema: object }> };
      responses: Record<string, { content?: object }>;
    }
    const read = async () => (await call<Document>("GET", "/openapi.json", null)).body;
    const operationsOf = ({ paths }: Document) =>
      Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
      );

    it("with parameters, bodies, responses and the credentials of each operation", async () => {
      const document = await read();
      expect(document.openapi).toBe("3.1.0");
      const operations = operationsOf(document);
      expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
      for (const { path, method, ...operation } of operations) {
        const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
        expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
        const [status] = Object.keys(operation.responses);
        const content = operation.responses[status as string]?.content;
        expect([`${method} ${path}`, content !== undefined]).toEqual([`${method} ${path}`, status !== "204"]);
        for (const scheme of operation.security.flatMap((schemes) => Object.keys(schemes))) {
          expect(document.components.securitySchemes).toHaveProperty([scheme]);
        }
      }
      const result = document.paths["/api/v1/runs/{runId}/result"]?.get;
      expect(result?.parameters).toContainEqual(expect.objectContaining({ name: "wait", in: "query" }));
    });

    it("from the schemas that validate requests, with references that all resolve", async () => {
      const document = await read();
      const text = JSON.stringify(document);
      expect(document.components.schemas).toHaveProperty("TriggerBody.properties.options.properties.ttl");
      for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
        expect(document.components.schemas).toHaveProperty(name as string);
      }
      // Only those: one inside of a named schema would point nowhere in the document.
      expect(text.match(/"\$ref":"(?!#\/components\/schemas\/)[^"]*"/g)).toBeNull();
    });
  });
});
