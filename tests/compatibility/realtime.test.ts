/** Run subscriptions through the published client of Trigger.dev, unchanged. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INTERNAL_ERRORS, type InternalErrorCode, internalError } from "@acme/sdk/contract";
import { TaskRunError } from "@trigger.dev/core/v3";
import { type AnyRealtimeRun, auth, batch, queues, runs, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorColumn } from "../../workers/src/realtime/electric/error-column.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { publicToken } from "../support/public-token.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "acme-realtime-"));
// Tasks are executed as another user.
chmodSync(FOLDER, 0o755);
/** While this file exists, the tasks can't be imported. */
const BROKEN = join(FOLDER, "broken");

const TASKS = `
import { existsSync } from "node:fs";
import { metadata, task } from "@trigger.dev/sdk";
if (existsSync(${JSON.stringify(BROKEN)})) throw new Error("this file is broken");
export const work = task({
  id: "work",
  retry: { maxAttempts: 1 },
  run: async ({ ms = 0, fail, exit }: { ms?: number; fail?: boolean; exit?: number }) => {
    metadata.set("progress", 1);
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (exit !== undefined) process.exit(exit);
    if (fail) throw new RangeError("asked to fail");
    return { ok: true, at: new Date(0) };
  },
});
`;

interface ShapeMessage {
  headers: { operation?: string; control?: string };
  value?: Record<string, unknown>;
}

it.each(Object.keys(INTERNAL_ERRORS))("the client takes our error code %s", (code) => {
  const error = errorColumn(internalError(code as InternalErrorCode, "what happened"));
  expect(TaskRunError.parse(error)).toMatchObject({ type: "INTERNAL_ERROR", message: "what happened" });
});

describe("run subscriptions through @trigger.dev/sdk", () => {
  let server: LocalServer;
  beforeAll(async () => {
    server = await startLocalServer({ executor: "process", example: false });
    await deployTaskFile(server, TASKS);
  });
  afterAll(() => {
    rmSync(FOLDER, { recursive: true, force: true });
    return server?.stop();
  });
  const as = <T>(work: () => Promise<T>, accessToken = server.secretKey): Promise<T> =>
    auth.withAuth({ baseURL: server.apiUrl, accessToken }, work) as Promise<T>;
  const seen = async (runId: string, accessToken?: string): Promise<AnyRealtimeRun[]> =>
    as(async () => {
      const states: AnyRealtimeRun[] = [];
      for await (const run of runs.subscribeToRun(runId)) states.push(run);
      return states;
    }, accessToken);

  it("yield each state of a run and end with its output", async () => {
    const { id } = await as(() => tasks.trigger("work", { ms: 500 }, { tags: ["a", "b"] }));
    const states = await seen(id);
    expect(states.length).toBeGreaterThan(1);
    expect(states.at(-1)).toMatchObject({
      id,
      status: "COMPLETED",
      taskIdentifier: "work",
      tags: ["a", "b"],
      payload: { ms: 500 },
      output: { ok: true, at: new Date(0) },
      metadata: { progress: 1 },
      isCompleted: true,
    });
    expect(states.at(-1)?.finishedAt).toBeInstanceOf(Date);
  });

  it.each([
    ["FAILED", { fail: true }, {}, { name: "RangeError", message: "asked to fail" }],
    [
      "CRASHED",
      { exit: 7 },
      {},
      { message: "trigger.dev internal error (TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE)" },
    ],
    ["CANCELED", { ms: 60_000 }, { cancel: true }, undefined],
    [
      "TIMED_OUT",
      { ms: 60_000 },
      { maxDuration: 5 },
      { message: "trigger.dev internal error (MAX_DURATION_EXCEEDED)" },
    ],
  ] as const)(
    "end with %s",
    async (status, payload, { cancel, ...options }: { cancel?: boolean; maxDuration?: number }, error) => {
      const { id } = await as(() => tasks.trigger("work", payload, options));
      const states = seen(id);
      if (cancel) {
        await eventually("it executes", async () =>
          as(async () => (await runs.retrieve(id)).status === "EXECUTING"),
        );
        await as(() => runs.cancel(id));
      }
      const last = (await states).at(-1);
      expect(last?.status).toBe(status);
      if (error) expect(last?.error).toMatchObject(error);
    },
  );

  it("end with EXPIRED", async () => {
    await as(() => queues.pause({ type: "task", name: "work" }));
    try {
      const { id } = await as(() => tasks.trigger("work", {}, { ttl: "1s" }));
      expect((await seen(id)).at(-1)).toMatchObject({ status: "EXPIRED", expiredAt: expect.any(Date) });
    } finally {
      await as(() => queues.resume({ type: "task", name: "work" }));
    }
  });

  it("end with SYSTEM_FAILURE", async () => {
    writeFileSync(BROKEN, "");
    try {
      // A process that has already imported the tasks would be reused: this run ends it.
      const last = await eventually("a run whose tasks can't be imported", async () => {
        const { id } = await as(() => tasks.trigger("work", { exit: 7 }));
        const end = (await seen(id)).at(-1);
        return end?.status === "SYSTEM_FAILURE" ? end : undefined;
      });
      expect(last).toMatchObject({
        isFailed: true,
        finishedAt: expect.any(Date),
        error: { message: expect.stringContaining("COULD_NOT_IMPORT_TASK") },
      });
    } finally {
      rmSync(BROKEN);
    }
  });

  it("find runs with all of the tags, also ended ones, and show new ones", async () => {
    const [one, two] = [`t1-${Date.now()}`, `t2-${Date.now()}`];
    const before = await as(() => tasks.trigger("work", {}, { tags: [one, two] }));
    await as(() => tasks.trigger("work", {}, { tags: [one] }));
    await seen(before.id);
    await as(async () => {
      const found = new Set<string>();
      let after: string | undefined;
      for await (const run of runs.subscribeToRunsWithTag([one, two], { createdAt: "1h" })) {
        if (run.isCompleted) found.add(run.id);
        after ??= (await tasks.trigger("work", { ms: 50 }, { tags: [two, one] })).id;
        if (found.size === 2) break;
      }
      expect(found).toEqual(new Set([before.id, after]));
    });
  });

  it("show the runs of a batch", async () => {
    const { batchId } = await as(() =>
      batch.trigger([
        { id: "work", payload: { ms: 100 } },
        { id: "work", payload: { ms: 200 } },
      ]),
    );
    await as(async () => {
      const done = new Set<string>();
      for await (const run of runs.subscribeToBatch(batchId)) {
        if (run.isCompleted) done.add(run.id);
        if (done.size === 2) break;
      }
    });
  });

  it("continue when the token expires meanwhile, but not with another key", async () => {
    const { id } = await as(() => tasks.trigger("work", { ms: 6_000 }));
    const token = publicToken(server, id, [`read:runs:${id}`], 3);
    expect((await seen(id, token)).at(-1)?.status).toBe("COMPLETED");
    const answer = await fetch(`${server.apiUrl}/realtime/v1/runs/${id}?offset=-1`, {
      headers: { authorization: `Bearer ${token}`, origin: "https://app.example" },
    });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  });

  it("are refused to a token without the permission, whatever handle it names", async () => {
    const { id } = await as(() => tasks.trigger("work", {}, { tags: ["secret"] }));
    const ask = (query: string, token: string, path = `runs/${id}`) =>
      fetch(`${server.apiUrl}/realtime/v1/${path}?${query}`, {
        headers: { authorization: `Bearer ${token}` },
      });
    const other = publicToken(server, id, ["read:runs:run_other"], 60);
    expect((await ask("offset=-1", other)).status).toBe(403);
    expect((await ask("offset=0_0&handle=x.y&live=true", other)).status).toBe(403);
    const good = await ask("offset=-1", server.secretKey);
    const handle = encodeURIComponent(good.headers.get("electric-handle") ?? "");
    expect((await ask(`offset=0_0&handle=${handle}`, other)).status).toBe(403);
    expect((await ask("offset=-1", publicToken(server, id, ["read:tags:secret"], 60))).status).toBe(200);
    expect((await ask("offset=-1", publicToken(server, id, ["read:tasks:work"], 60))).status).toBe(200);
    expect(
      (await ask("offset=-1&tags=secret", publicToken(server, id, ["read:tags:secret"], 60), "runs")).status,
    ).toBe(200);
    expect(
      (await ask("offset=-1&tags=secret", publicToken(server, id, ["read:tags:other"], 60), "runs")).status,
    ).toBe(403);
    expect((await ask("offset=-1", server.devSecretKey)).status).toBe(404);
  });

  it.each([
    ["run that does not exist", "refused: HTTP 404", () => runs.subscribeToRun("run_unknown")],
    ["tag that the token does not allow", "refused: HTTP 403", () => runs.subscribeToRunsWithTag("x")],
    ["batch that the token does not allow", "refused: HTTP 403", () => runs.subscribeToBatch("batch_x")],
    ["token that has expired", "refused: HTTP 401", () => runs.subscribeToRun("run_unknown")],
  ] as const)("throw for a %s", async (what, reason, subscribe) => {
    const { id } = await as(() => tasks.trigger("work", {}));
    const scopes = [`read:runs:${id}`];
    const token = publicToken(server, id, scopes, what.includes("expired") ? -60 : 60);
    const iterate = async () => {
      for await (const run of subscribe()) throw new Error(`It yields ${run.id}`);
    };
    await expect(as(iterate, token)).rejects.toThrow(reason);
  });

  it("answer completely, with what browsers and the client need, and a hidden tab at once", async () => {
    const { id } = await as(() => tasks.trigger("work", { ms: 2_000 }));
    const preflight = await fetch(`${server.apiUrl}/realtime/v1/runs/${id}?offset=-1`, {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "GET",
        "access-control-request-headers":
          "authorization,trigger-version,x-trigger-electric-version,x-trigger-branch",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("x-trigger-electric-version");
    const ask = async (query: string) => {
      const answer = await fetch(`${server.apiUrl}/realtime/v1/runs/${id}?log=full&${query}`, {
        headers: { authorization: `Bearer ${server.secretKey}`, origin: "https://app.example" },
      });
      return { answer, body: (await answer.json()) as ShapeMessage[] };
    };
    const first = await ask("offset=-1&skipColumns=payload,status");
    expect(first.answer.status).toBe(200);
    for (const name of ["electric-handle", "electric-offset", "electric-schema", "content-length"])
      expect(first.answer.headers.get(name), name).toBeTruthy();
    expect(first.answer.headers.get("access-control-expose-headers")).toContain("electric-offset");
    expect(first.body.at(-1)).toEqual({ headers: { control: "up-to-date" } });
    expect(first.body[0]?.value).not.toHaveProperty("payload");
    // Columns that the client needs are kept.
    expect(first.body[0]?.value).toHaveProperty("status");
    const handle = encodeURIComponent(first.answer.headers.get("electric-handle") ?? "");
    const offset = first.answer.headers.get("electric-offset");
    // With an unknown handle or offset, all rows are returned, and never a 409.
    for (const query of [
      "offset=7_0&handle=unknown&live=true&cursor=1",
      "offset=x&handle=",
      `offset=0_inf&handle=${handle}`,
    ]) {
      const { answer, body } = await ask(query);
      expect([answer.status, body[0]?.headers.operation], query).toEqual([200, "insert"]);
    }
    const shown = await ask(`offset=${offset}&handle=${handle}&cursor=1`);
    expect(shown.answer.status).toBe(200);
    expect(shown.answer.headers.get("electric-schema")).toBeTruthy();
    const polled = await ask(`offset=${offset}&handle=${handle}&live=true&cursor=1`);
    expect(polled.answer.headers.get("electric-cursor")).toBeTruthy();
    expect(polled.body[0]?.headers.operation).toBe("update");
  });

  it("continue after a connection is cut, between answers and in the middle of one", async () => {
    const { port } = new URL(server.apiUrl);
    const sockets = new Set<Socket>();
    let cuts = 0;
    const proxy = createServer((client) => {
      const upstream = connect(Number(port), "127.0.0.1");
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on("error", () => {}).on("close", () => sockets.delete(socket));
      }
      client.pipe(upstream);
      upstream.pipe(client);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const cutting = setInterval(() => {
      cuts += sockets.size > 0 ? 1 : 0;
      for (const socket of sockets) socket.destroy();
    }, 300);
    try {
      const { id } = await as(() => tasks.trigger("work", { ms: 1_500 }));
      const baseURL = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const last = await auth.withAuth({ baseURL, accessToken: server.secretKey }, async () => {
        let run: AnyRealtimeRun | undefined;
        for await (run of runs.subscribeToRun(id));
        return run;
      });
      expect(last).toMatchObject({ id, status: "COMPLETED", output: { ok: true } });
      expect(cuts).toBeGreaterThan(1);
    } finally {
      clearInterval(cutting);
      for (const socket of sockets) socket.destroy();
      proxy.close();
    }
  });

  it("reconnect when the server was killed under them", async () => {
    const { id } = await as(() => tasks.trigger("work", { ms: 4_000 }));
    const states = seen(id);
    await eventually("it executes", async () =>
      as(async () => (await runs.retrieve(id)).status === "EXECUTING"),
    );
    server.kill("worker", "SIGKILL");
    expect((await states).at(-1)?.status).toBe("COMPLETED");
  });
});
