import { exports } from "cloudflare:workers";
import { LIMITS } from "@acme/sdk/contract";
import { BATCH_LIMITS, OPERATION_HEADER } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { dequeue, finish, runTokenOf, start, suspend } from "./host.ts";

let project: Project;
beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["hello", "other", "parent"]);
});

interface Created {
  id: string;
  runCount: number;
  isCached: boolean;
}
interface Retrieved {
  status: string;
  runs: string[];
  runCount: number;
  completedCount: number;
  processing: { completedAt?: string; errors: { index: number; errorCode: string; error: string }[] };
}
interface Results {
  items: { index: number; ok: boolean; output?: string; id: string; error?: unknown }[];
  pagination: { next?: string };
}
interface Received {
  itemsAccepted: number;
  itemsDeduplicated: number;
  sealed: boolean;
}

const create = async (body: Record<string, unknown>, key = project.prod, headers = {}) =>
  (await call<Created>("POST", "/api/v3/batches", key, body, headers)).body;
const line = (index: number, more: Record<string, unknown> = {}) =>
  JSON.stringify({ index, task: "hello", payload: { index }, ...more });
const send = (id: string, lines: string[], key = project.prod) =>
  call<Received & { code: string; error: string }>(
    "POST",
    `/api/v3/batches/${id}/items`,
    key,
    lines.join("\n"),
  );
const retrieve = async (id: string, key = project.prod) =>
  (await call<Retrieved>("GET", `/api/v2/batches/${id}`, key)).body;
const results = async (id: string, query = "") =>
  (await call<Results>("GET", `/api/v1/batches/${id}/results?${query}`, project.prod)).body;
const created = (id: string) =>
  until(async () => {
    const batch = await retrieve(id);
    return batch.processing.completedAt ? batch : null;
  });
const runOf = async (id: string) => (await call("GET", `/api/v3/runs/${id}`, project.prod)).body;

describe("a batch in two phases", () => {
  it("of 1,000 items with duplicates and errors creates each run once", async () => {
    const { id } = await create({ runCount: 1_000 });
    const lines = Array.from({ length: 1_000 }, (_, index) =>
      line(index, {
        task: ["hello", "other", "nope"][index % 3],
        // Delayed, because they would otherwise take the environment's slots from the runs of later tests.
        options: {
          tags: [`n:${index}`],
          delay: "1h",
          ...(index % 3 === 1 ? { queue: { name: "shared" } } : {}),
        },
      }),
    );
    const first = await send(id, [...lines.slice(0, 600), ...lines.slice(0, 50)]);
    expect(first).toMatchObject({
      status: 200,
      body: {
        itemsAccepted: 600,
        itemsDeduplicated: 50,
        sealed: false,
        enqueuedCount: 600,
        expectedCount: 1_000,
      },
    });
    expect(await retrieve(id)).toMatchObject({ status: "PENDING", runs: [] });
    const second = await send(id, lines);
    expect(second.body).toMatchObject({ itemsAccepted: 400, itemsDeduplicated: 600, sealed: true });
    const batch = await created(id);
    expect(batch).toMatchObject({ status: "PROCESSING", runCount: 1_000, completedCount: 0 });
    expect(batch.runs).toHaveLength(667);
    expect(new Set(batch.runs).size).toBe(667);
    expect(batch.processing.errors).toHaveLength(333);
    expect(batch.processing.errors[0]).toMatchObject({ index: 2, errorCode: "task_not_found" });
    expect(await runOf(batch.runs[1] as string)).toMatchObject({
      batchId: id,
      taskIdentifier: "other",
      queue: "shared",
      tags: ["n:1"],
      payload: { index: 1 },
    });
    const third = await send(id, lines);
    expect(third.body).toMatchObject({ itemsAccepted: 0, itemsDeduplicated: 1_000, sealed: true });
    expect((await retrieve(id)).runs).toEqual(batch.runs);
    const listed = await until(async () => {
      const { body } = await call<{ data: unknown[] }>(
        "GET",
        `/api/v1/runs?filter[batch]=${id}&filter[tag]=n:999,n:0,n:1,n:3`,
        project.prod,
      );
      return body.data.length === 4 ? body.data : null;
    });
    expect(listed).toHaveLength(4);
  });

  it("accepts a stream that splits lines and characters anywhere, and payloads too large to keep inline", async () => {
    const { id } = await create({ runCount: 3 });
    const text = "ä☕".repeat(60_000);
    const bytes = new TextEncoder().encode(
      `${[line(0, { payload: text }), "", line(1, { payload: text }), line(2)].join("\r\n")}\n`,
    );
    let at = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (at >= bytes.byteLength) return controller.close();
        controller.enqueue(bytes.slice(at, at + 9_973));
        at += 9_973;
      },
    });
    const response = await exports.default.fetch(`http://acme.test/api/v3/batches/${id}/items`, {
      method: "POST",
      headers: { authorization: `Bearer ${project.prod}` },
      body,
    });
    expect(await response.json()).toMatchObject({ itemsAccepted: 3, sealed: true });
    const { runs } = await created(id);
    expect((await dequeue(runs[0] as string)).payloadType).toBe("application/store");
    expect(await runOf(runs[1] as string)).toMatchObject({ payload: text });
  });

  it("has the results of its items in order, page by page", async () => {
    const { id } = await create({ runCount: 4 });
    await send(id, [line(3), line(1, { task: "nope" }), line(0), line(2)]);
    const { runs } = await created(id);
    expect((await results(id)).items.map(({ index }) => index)).toEqual([1]);
    const large = JSON.stringify("ä".repeat(100_000));
    for (const [n, run] of [...runs.entries()].reverse()) await finish(run, n === 0 ? large : `"${n}"`);
    await until(async () => (await retrieve(id)).status === "PARTIAL_FAILED");
    const all = await results(id);
    expect(all.items.map(({ index, ok, id }) => [index, ok, id])).toEqual([
      [0, true, runs[0]],
      [1, false, ""],
      [2, true, runs[1]],
      [3, true, runs[2]],
    ]);
    expect(all.items[0]?.output).toBe(large);
    expect(all.items[1]?.error).toMatchObject({ type: "INTERNAL_ERROR", code: "TASK_NOT_FOUND" });
    expect(all.pagination).toEqual({});
    const first = await results(id, "page[size]=3");
    expect(first.items.map(({ index }) => index)).toEqual([0, 1, 2]);
    const last = await results(id, `page[size]=3&page[after]=${first.pagination.next}`);
    expect(last.items.map(({ index }) => index)).toEqual([3]);
    expect(last.pagination).toEqual({});
  });

  it("of more items than an object hands out at once has all of their results", async () => {
    const { id } = await create({ runCount: 250 });
    await send(
      id,
      Array.from({ length: 250 }, (_, index) => line(index, { task: "nope" })),
    );
    const indexes = Array.from({ length: 250 }, (_, index) => index);
    const all = await results(id);
    expect(all.items.map(({ index }) => index)).toEqual(indexes);
    expect(all.pagination).toEqual({});
    const first = await results(id, "page[size]=200");
    expect(first.items.map(({ index }) => index)).toEqual(indexes.slice(0, 200));
    const rest = await results(id, `page[size]=50&page[after]=${first.pagination.next}`);
    expect(rest.items.map(({ index }) => index)).toEqual(indexes.slice(200));
    expect(rest.pagination).toEqual({});
  });

  it("is one for one idempotency key, and gets its items from the first sender", async () => {
    const idempotencyKey = `batch-${Date.now()}`;
    const batches = await Promise.all(
      Array.from({ length: 10 }, () => create({ runCount: 2, idempotencyKey })),
    );
    const ids = new Set(batches.map(({ id }) => id));
    expect(ids.size).toBe(1);
    const [id] = [...ids] as [string];
    // Its items have not been sent, so the next caller may send them.
    expect(await create({ runCount: 2, idempotencyKey })).toMatchObject({ id, isCached: false });
    await Promise.all(Array.from({ length: 5 }, () => send(id, [line(0), line(1)])));
    expect(await create({ runCount: 2, idempotencyKey })).toMatchObject({
      id,
      isCached: true,
      idempotencyKey,
    });
    expect((await created(id)).runs).toHaveLength(2);
  });

  it("may be read with the public token that creating it gave, and only read", async () => {
    const answer = await call<Created>("POST", "/api/v3/batches", project.prod, { runCount: 1 });
    const { id } = answer.body;
    const key = answer.headers.get("x-trigger-jwt") as string;
    expect((await call("GET", `/api/v2/batches/${id}`, key)).status).toBe(200);
    expect((await call("GET", `/api/v1/batches/${id}/results`, key)).status).toBe(200);
    expect((await send(id, [line(0)], key)).status).toBe(403);
    const other = await create({ runCount: 1 });
    expect((await call("GET", `/api/v2/batches/${other.id}`, key)).status).toBe(403);
  });
});

describe("a batch that a run waits for", () => {
  const newParent = async () => {
    const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/parent/trigger", project.prod, {});
    return start(body.id);
  };
  const createFor = (runId: string, number: number, more: Record<string, unknown> = {}) =>
    create(
      { runCount: 2, taskIdentifiers: ["hello"], resumeParentOnCompletion: true, ...more },
      runTokenOf(runId),
      { [OPERATION_HEADER]: `${runId}.1.${number}` },
    );

  it("resumes it with the batch's id when all have ended, and is one batch for one operation", async () => {
    const parent = await newParent();
    const batches = await Promise.all(Array.from({ length: 10 }, () => createFor(parent.runId, 0)));
    expect(new Set(batches.map(({ id }) => id)).size).toBe(1);
    const { id } = batches[0] as Created;
    await send(id, [line(0), line(1)], runTokenOf(parent.runId));
    expect(await createFor(parent.runId, 0)).toMatchObject({ id, isCached: true });
    expect(await suspend(parent, [0])).toEqual({ verdict: "suspended" });
    const { runs } = await created(id);
    expect(await runOf(runs[0] as string)).toMatchObject({
      depth: 1,
      relatedRuns: { parent: { id: parent.runId } },
    });
    for (const run of runs) {
      expect(await runOf(parent.runId)).toMatchObject({ status: "WAITING" });
      await finish(run);
    }
    expect((await dequeue(parent.runId)).resume?.journal).toMatchObject([
      { kind: "batch", name: "hello", target: id, result: { ok: true, output: `{"batchId":"${id}"}` } },
    ]);
  });

  it("accepts no more items if it was canceled before all had arrived, and says so", async () => {
    const parent = await newParent();
    const { id } = await createFor(parent.runId, 0);
    await send(id, [line(0)], runTokenOf(parent.runId));
    await call("POST", `/api/v2/runs/${parent.runId}/cancel`, project.prod, { children: true });
    await until(async () => (await retrieve(id)).status === "ABORTED");
    const { status, body } = await send(id, [line(1)]);
    expect({ status, code: body.code }).toEqual({ status: 409, code: "batch_aborted" });
    expect(body.error).toMatch(
      /was canceled before all of its items had arrived \(.+\)\. None of its runs was/,
    );
  });

  it("refuses items that stand for the run itself", async () => {
    const idempotencyKey = `parent-${Date.now()}`;
    const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/parent/trigger", project.prod, {
      options: { idempotencyKey },
    });
    const parent = await start(body.id);
    const { id } = await createFor(parent.runId, 0, { runCount: 1 });
    await send(id, [line(0, { task: "parent", options: { idempotencyKey } })]);
    const batch = await created(id);
    expect(batch).toMatchObject({ status: "ABORTED", runs: [] });
    expect(batch.processing.errors).toMatchObject([{ index: 0, errorCode: "waits_on_itself" }]);
  });

  it("needs an operation", async () => {
    const answer = await call("POST", "/api/v3/batches", project.prod, {
      runCount: 1,
      resumeParentOnCompletion: true,
    });
    expect(answer).toMatchObject({ status: 400, body: { code: "operation_missing" } });
  });
});

describe("items in one body", () => {
  it("of several tasks give their runs, created", async () => {
    const { body } = await call<{ id: string; runs: { id: string; taskIdentifier: string }[] }>(
      "POST",
      "/api/v1/tasks/batch",
      project.prod,
      {
        items: [
          { task: "hello", payload: 1 },
          { task: "other", payload: 2, options: { delay: "1h" } },
        ],
      },
    );
    expect(body.runs.map(({ taskIdentifier }) => taskIdentifier)).toEqual(["hello", "other"]);
    expect(await runOf(body.runs[1]?.id as string)).toMatchObject({
      status: "DELAYED",
      batchId: body.id,
      payload: 2,
    });
    const counted = await call("POST", "/api/v2/tasks/batch", project.prod, { items: [{ task: "hello" }] });
    expect(counted).toMatchObject({ status: 202, body: { runCount: 1 } });
  });

  it("of one task give the ids of their runs", async () => {
    const { body } = await call<{ batchId: string; runs: string[] }>(
      "POST",
      "/api/v1/tasks/hello/batch",
      project.prod,
      { items: [{ payload: 1 }, { payload: 2 }] },
    );
    expect((await retrieve(body.batchId)).runs).toEqual(body.runs);
    expect(body.runs).toHaveLength(2);
  });

  it("are refused together if one of them is invalid", async () => {
    const answer = await call("POST", "/api/v1/tasks/batch", project.prod, {
      items: [{ task: "hello", options: { tags: ["whole"] } }, { task: "nope" }],
    });
    expect(answer).toMatchObject({ status: 404, body: { code: "task_not_found" } });
    const { body } = await call<{ data: unknown[] }>("GET", "/api/v1/runs?filter[tag]=whole", project.prod);
    expect(body.data).toEqual([]);
  });
});

describe("an invalid item is an error of its own", () => {
  it.each<[string, string, Record<string, unknown>]>([
    ["an unknown task", "task_not_found", { task: "nope" }],
    ["no task", "invalid_request", { task: undefined }],
    ["an invalid delay", "invalid_request", { options: { delay: "soon" } }],
    ["too many tags", "invalid_request", { options: { tags: Array.from({ length: 11 }, (_, n) => `${n}`) } }],
    [
      "metadata that is too large",
      "metadata_too_large",
      { options: { metadata: { x: "y".repeat(LIMITS.metadataBytes) } } },
    ],
    ["a version that was never deployed", "version_not_found", { options: { lockToVersion: "20200101.1" } }],
  ])("%s: %s", async (_what, errorCode, wrong) => {
    const { id } = await create({ runCount: 2 });
    expect((await send(id, [line(0, wrong), line(1)])).body).toMatchObject({
      itemsAccepted: 2,
      sealed: true,
    });
    const batch = await created(id);
    expect(batch.runs).toHaveLength(1);
    expect(batch.processing.errors).toMatchObject([{ index: 0, errorCode, error: expect.any(String) }]);
  });
});

describe("a request that is wrong", () => {
  const items =
    (lines: string[], runCount = 2) =>
    async () => {
      const { id } = await create({ runCount });
      const answer = await send(id, lines);
      expect(await retrieve(id)).toMatchObject({ status: "PENDING", runs: [] });
      return answer;
    };
  const cases: [string, number, string, () => Promise<{ status: number; body: { code?: unknown } }>][] = [
    ["no key", 401, "missing_api_key", () => call("POST", "/api/v3/batches", null, { runCount: 1 })],
    [
      "no items",
      400,
      "invalid_request",
      () => call("POST", "/api/v3/batches", project.prod, { runCount: 0 }),
    ],
    [
      "too many items",
      400,
      "invalid_request",
      () => call("POST", "/api/v3/batches", project.prod, { runCount: BATCH_LIMITS.items + 1 }),
    ],
    [
      "an unknown parent",
      404,
      "run_not_found",
      () => call("POST", "/api/v3/batches", project.prod, { runCount: 1, parentRunId: "run_nope" }),
    ],
    [
      "a wrong operation",
      400,
      "invalid_operation",
      () => call("POST", "/api/v3/batches", project.prod, { runCount: 1 }, { [OPERATION_HEADER]: "x" }),
    ],
    ["an unknown batch", 404, "batch_not_found", () => call("GET", "/api/v2/batches/batch_no", project.prod)],
    ["items of an unknown batch", 404, "batch_not_found", () => send("batch_no", [line(0)])],
    [
      "results of an unknown batch",
      404,
      "batch_not_found",
      () => call("GET", "/api/v1/batches/batch_no/results", project.prod),
    ],
    [
      "an invalid page",
      400,
      "invalid_request",
      async () => {
        const { id } = await create({ runCount: 1 });
        return call("GET", `/api/v1/batches/${id}/results?page[size]=0`, project.prod);
      },
    ],
    ["a line that is no JSON", 400, "invalid_item", items([line(0), "{"])],
    ["a line without an index", 400, "invalid_item", items(['{"task":"hello"}'])],
    ["a negative index", 400, "invalid_item", items([line(-1)])],
    ["an index beyond the batch", 400, "index_out_of_range", items([line(0), line(2)])],
    [
      "a line that is too long",
      413,
      "item_too_large",
      items([line(0, { payload: "x".repeat(BATCH_LIMITS.itemBytes) })]),
    ],
    [
      "too many items in one body",
      400,
      "invalid_request",
      () =>
        call("POST", "/api/v1/tasks/batch", project.prod, {
          items: Array.from({ length: 501 }, () => ({ task: "hello" })),
        }),
    ],
    [
      "no items in one body",
      400,
      "invalid_request",
      () => call("POST", "/api/v1/tasks/hello/batch", project.prod, { items: [] }),
    ],
  ];

  it.each(cases)("%s: %i %s", async (_what, status, code, request) => {
    expect(await request()).toMatchObject({ status, body: { code, error: expect.any(String) } });
  });

  it("about another environment's batch: 404, and nothing changes", async () => {
    const { id } = await create({ runCount: 1 });
    for (const key of [project.dev, (await newProject()).prod]) {
      expect((await call("GET", `/api/v2/batches/${id}`, key)).status).toBe(404);
      expect((await call("GET", `/api/v1/batches/${id}/results`, key)).status).toBe(404);
      expect((await send(id, [line(0)], key)).status).toBe(404);
    }
    expect(await retrieve(id)).toMatchObject({ status: "PENDING" });
    expect((await send(id, [line(0)])).body.sealed).toBe(true);
  });
});

describe("the list of batches", () => {
  interface Listed {
    data: { id: string; status: string; runCount: number; completedCount: number; refusedCount: number }[];
    pagination: { next?: string };
  }
  const list = async (key: string, query = "") =>
    (await call<Listed>("GET", `/api/v1/batches?${query}`, key)).body;

  it("is newest first, in pages, with the progress of each batch, and without other environments' batches", async () => {
    const own = await newProject();
    await deploy(own, ["hello"]);
    const ids: string[] = [];
    for (const runCount of [2, 1, 3]) {
      const { id } = await create({ runCount }, own.prod);
      const lines = Array.from({ length: runCount }, (_, index) => line(index));
      if (runCount === 3) lines[2] = line(2, { task: "unknown" });
      await send(id, lines, own.prod);
      ids.unshift(id);
    }
    const all = await until(async () => {
      const { data } = await list(own.prod);
      return data.length === 3 ? data : null;
    });
    expect(all.map(({ id }) => id)).toEqual(ids);
    expect(all[0]).toMatchObject({ status: "PROCESSING", runCount: 3, completedCount: 0, refusedCount: 1 });
    const first = await list(own.prod, "page[size]=2");
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = await list(own.prod, `page[size]=2&page[after]=${first.pagination.next}`);
    expect(second).toMatchObject({ data: [{ id: ids[2] }], pagination: {} });
    expect(second.pagination.next).toBeUndefined();
    expect(await list(project.prod, `page[after]=${first.pagination.next}`)).toEqual({
      data: [],
      pagination: {},
    });
  });

  it("refuses an invalid page", async () => {
    expect((await call("GET", "/api/v1/batches?page[size]=101", project.prod)).status).toBe(400);
    expect((await call("GET", "/api/v1/batches?page[after]=run_1", project.prod)).status).toBe(400);
  });
});
