/** Streams of runs: written by tasks, read by our client and by the published one of Trigger.dev. */
import { auth as ourAuth, streams as ourStreams, runs as ours } from "@acme/sdk";
import { parseRunId } from "@acme/sdk/contract";
import { auth, runs, streams, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { publicToken } from "../support/public-token.ts";

const TASKS = `
import { metadata, streams, task, wait } from "@trigger.dev/sdk";
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function* count(n, ms) {
  for (let i = 0; i < n; i++) { yield { n: i, text: "é\\n".repeat(3) }; await pause(ms); }
}
export const counting = task({
  id: "counting",
  retry: { maxAttempts: 1 },
  run: async ({ n, ms }) => {
    const { waitUntilComplete } = streams.pipe("numbers", count(n, ms));
    await waitUntilComplete();
    await streams.append("notes", "done");
    return n;
  },
});
export const unfinished = task({
  id: "unfinished",
  // The run's function returns before its stream is written.
  run: async () => { streams.pipe("late", count(5, 100)); },
});
export const old = task({
  id: "old",
  run: async () => { for await (const chunk of await metadata.stream("old", count(3, 1))) void chunk; },
});
const answer = streams.input({ id: "answer" });
export const asking = task({
  id: "asking",
  run: async () => {
    const first = await answer.wait({ timeout: "1h" });
    const second = await answer.wait({ timeout: "1h" });
    return [first, second];
  },
});
const talk = streams.input({ id: "talk" });
export const listening = task({
  id: "listening",
  run: async () => {
    const heard = [];
    const none = await talk.once({ timeoutMs: 50 });
    await streams.append("listens", "now");
    const first = await talk.once().unwrap();
    const { off } = talk.on((value) => { heard.push(value); if (heard.length === 2) off(); });
    while (heard.length < 2) await pause(20);
    const warm = await talk.waitWithIdleTimeout({ idleTimeoutInSeconds: 60 });
    const skipped = await talk.waitWithIdleTimeout({ idleTimeoutInSeconds: 0.05, skipSuspend: true });
    const hooks = [];
    const cold = await talk.waitWithIdleTimeout({
      idleTimeoutInSeconds: 0.05,
      timeout: "1h",
      onSuspend: () => { hooks.push("suspend"); },
      onResume: () => { hooks.push("resume"); },
    });
    const last = await talk.wait({ timeout: "1h", tags: ["talk"] }).unwrap();
    return {
      none: [none.ok, none.error?.name, none.error?.timeoutMs],
      first, heard, warm, skipped: [skipped.ok, skipped.error?.name], cold, hooks, last,
      peeked: talk.peek() ?? null,
    };
  },
});
export const writing = task({
  id: "writing",
  run: async () => {
    await streams.append("a");
    const { waitUntilComplete } = streams.writer({
      execute: ({ write, merge }) => { write("b"); merge(count(1, 0)); },
    });
    await waitUntilComplete();
    const defined = streams.define({ id: "defined" });
    await defined.append({ x: 1 });
    await defined.writer({ execute: ({ write }) => write({ x: 2 }) }).waitUntilComplete();
    await defined.pipe(count(1, 0)).waitUntilComplete();
  },
});
export const child = task({
  id: "child",
  run: async ({ to }) => { await streams.append("from-child", "hello", { target: to }); },
});
export const parent = task({
  id: "parent",
  run: async (_, { ctx }) => {
    for (const to of ["parent", "root", ctx.run.id]) await child.triggerAndWait({ to }).unwrap();
  },
});
export const idle = task({ id: "idle", run: async ({ ms }) => { await pause(ms); } });
`;

describe("streams", () => {
  let server: LocalServer;
  beforeAll(async () => {
    server = await startLocalServer({ executor: "process", example: false });
    await deployTaskFile(server, TASKS);
  });
  afterAll(() => server?.stop());
  const settings = (accessToken = server.secretKey) => ({ baseURL: server.apiUrl, accessToken });
  const as = <T>(work: () => Promise<T>, accessToken?: string): Promise<T> =>
    auth.withAuth(settings(accessToken), work) as Promise<T>;
  const all = async <T>(chunks: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = [];
    for await (const chunk of chunks) found.push(chunk);
    return found;
  };
  const numbers = (n: number) => Array.from({ length: n }, (_, i) => ({ n: i, text: "é\n".repeat(3) }));

  it("are read as they are written, and end with the run, by both clients", async () => {
    const { id } = await as(() => tasks.trigger("counting", { n: 30, ms: 20 }));
    const [theirs, own, late] = await Promise.all([
      as(async () => all(await streams.read(id, "numbers"))),
      ourAuth.withAuth(settings(), async () => all(await ours.fetchStream(id, "numbers"))),
      as(async () => all(await streams.read(id, "numbers", { startIndex: 25 }))),
    ]);
    expect(theirs).toEqual(numbers(30));
    expect(own).toEqual(numbers(30));
    expect(late).toEqual(numbers(30).slice(25));
    // Also after the run.
    expect(await as(async () => all(await streams.read(id, "numbers")))).toEqual(numbers(30));
    expect(await as(async () => all(await streams.read(id, "notes")))).toEqual(["done"]);
    expect(await as(async () => all(await streams.read(id, "never-written")))).toEqual([]);
  });

  it("delay the run's end until they are stored", async () => {
    const { id } = await as(() => tasks.trigger("unfinished", {}));
    expect(await as(async () => all(await streams.read(id, "late")))).toEqual(numbers(5));
  });

  it("appear in a run's subscription", async () => {
    const { id } = await as(() => tasks.trigger("counting", { n: 10, ms: 50 }));
    await ourAuth.withAuth(settings(), async () => {
      const chunks: unknown[] = [];
      let status: unknown;
      for await (const item of ours.subscribeToRun(id).withStreams<{ numbers: unknown; notes: unknown }>()) {
        if (item.type === "run") status = item.run.status;
        else if (item.type === "numbers") chunks.push(item.chunk);
      }
      expect(chunks).toEqual(numbers(10));
      expect(status).toBe("COMPLETED");
    });
    const again = await as(() => tasks.trigger("old", {}));
    await as(async () => {
      const chunks: unknown[] = [];
      for await (const item of runs.subscribeToRun(again.id).withStreams<{ old: unknown }>()) {
        if (item.type === "old") chunks.push(item.chunk);
        // The published client never ends by itself here.
        if (chunks.length === 3) break;
      }
      expect(chunks).toEqual(numbers(3));
    });
  });

  it("number lines: a repeated line is stored once, and two writers don't mix their numbers", async () => {
    const { id } = await as(() => tasks.trigger("idle", { ms: 3_000 }));
    const url = `${server.apiUrl}/realtime/v1/streams/${id}/self/lines`;
    const headers = { authorization: `Bearer ${server.secretKey}` };
    const send = (client: string, from: number, lines: unknown[]) =>
      fetch(url, {
        method: "POST",
        headers: { ...headers, "x-client-id": client, "x-resume-from-chunk": String(from) },
        body: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
      });
    expect((await fetch(url, { method: "PUT", headers })).status).toBe(202);
    expect((await send("a", 0, ["a0", "a1", "a2"])).status).toBe(200);
    expect((await send("b", 0, ["b0"])).status).toBe(200);
    expect((await send("a", 1, ["a1", "a2", "a3"])).status).toBe(200);
    const head = await fetch(url, { method: "HEAD", headers: { ...headers, "x-client-id": "a" } });
    expect(head.headers.get("x-last-chunk-index")).toBe("3");
    expect((await send("a", 4, ["x".repeat(1_100_000)])).status).toBe(413);
    const broken = await fetch(url, {
      method: "POST",
      headers: { ...headers, "x-client-id": "c" },
      body: "no json\n",
    });
    expect(broken.status).toBe(400);
    expect(await as(async () => all(await streams.read(id, "lines")))).toEqual([
      "a0",
      "a1",
      "a2",
      "b0",
      "a3",
    ]);
  });

  it("have each line once when the server is killed in the middle of one, and the writer resumes there", async () => {
    const { id } = await as(() => tasks.trigger("idle", { ms: 15_000 }));
    const url = `${server.apiUrl}/realtime/v1/streams/${id}/self/torn`;
    const headers = { authorization: `Bearer ${server.secretKey}`, "x-client-id": "a" };
    const found: unknown[] = [];
    const reading = (async () => {
      for await (const chunk of await as(() => streams.read(id, "torn", { timeoutInSeconds: 60 })))
        if (found.push(chunk) === 4) return;
    })();
    const pieces = new TransformStream<Uint8Array, Uint8Array>();
    const body = pieces.writable.getWriter();
    const writing = fetch(url, {
      method: "POST",
      headers,
      body: pieces.readable,
      duplex: "half",
    } as RequestInit);
    await body.write(new TextEncoder().encode('"a0"\n"a1"\n"half of a'));
    await eventually("two lines are read", () => found.length === 2);
    server.kill("worker", "SIGKILL");
    await expect(writing).rejects.toThrow();
    const last = await eventually("the server is back", async () => {
      const head = await fetch(url, { method: "HEAD", headers }).catch(() => undefined);
      return head?.headers.get("x-last-chunk-index") ?? undefined;
    });
    expect(last).toBe("1");
    // Another writer, at the same time.
    const send = (client: string, from: number, lines: string[]) =>
      fetch(url, {
        method: "POST",
        headers: { ...headers, "x-client-id": client, "x-resume-from-chunk": String(from) },
        body: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
      });
    const answers = await Promise.all([send("a", 1, ["a1", "a2"]), send("b", 0, ["b0"])]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await reading;
    expect(found.slice(0, 2)).toEqual(["a0", "a1"]);
    expect(new Set(found.slice(2))).toEqual(new Set(["a2", "b0"]));
  });

  it("continue after the server was killed while they were written and read", async () => {
    const { id } = await as(() => tasks.trigger("counting", { n: 60, ms: 50 }));
    let seen = 0;
    const reading = (async () => {
      const found: unknown[] = [];
      for await (const chunk of await as(() => streams.read(id, "numbers", { timeoutInSeconds: 60 }))) {
        found.push(chunk);
        seen = found.length;
      }
      return found;
    })();
    await eventually("some are read", () => seen > 5);
    server.kill("worker", "SIGKILL");
    expect(await reading).toEqual(numbers(60));
  });

  it("are refused to a token that may not read the run", async () => {
    const { id } = await as(() => tasks.trigger("counting", { n: 1, ms: 0 }));
    const other = publicToken(server, id, ["read:runs:run_other"], 60);
    await expect(as(async () => all(await streams.read(id, "numbers")), other)).rejects.toMatchObject({
      status: 403,
    });
    expect(parseRunId(id)).not.toBeNull();
    const good = publicToken(server, id, [`read:runs:${id}`], 60);
    expect(await as(async () => all(await streams.read(id, "numbers")), good)).toEqual(numbers(1));
  });

  it("may have no name, be defined, be written by a writer, or belong to a parent", async () => {
    const { id } = await as(() => tasks.trigger("writing", {}));
    const defined = streams.define<{ x: number }>({ id: "defined" });
    expect(await as(async () => all(await defined.read(id)))).toEqual([{ x: 1 }, { x: 2 }, ...numbers(1)]);
    expect(await as(async () => all(await streams.read(id)))).toEqual(["a", "b", ...numbers(1)]);
    const { id: parent } = await as(() => tasks.trigger("parent", {}));
    expect(await as(async () => all(await streams.read(parent, "from-child")))).toEqual(
      Array.from({ length: 3 }, () => "hello"),
    );
  });

  it("deliver input to handlers and to a waiting process, in the order of its arrival", async () => {
    const { id } = await as(() => tasks.trigger("listening", {}));
    const talk = streams.input<number>({ id: "talk" });
    // Input that is sent earlier would be found by the check that should find nothing.
    for await (const chunk of await as(() => streams.read(id, "listens"))) {
      expect(chunk).toBe("now");
      break;
    }
    for (let n = 1; n <= 4; n++) await as(() => talk.send(id, n));
    await eventually("it is suspended", async () =>
      as(async () => (await runs.retrieve(id)).status === "WAITING"),
    );
    await as(() => talk.send(id, 5));
    await as(() => talk.send(id, 6));
    const run = await as(() => runs.poll(id, { pollIntervalMs: 100 }));
    expect(run.output).toEqual({
      none: [false, "InputStreamTimeoutError", 50],
      first: 1,
      heard: [2, 3],
      warm: { ok: true, output: 4 },
      skipped: [false, "WaitpointTimeoutError"],
      cold: { ok: true, output: 5 },
      hooks: ["suspend", "resume"],
      last: 6,
      peeked: null,
    });
  });

  it("deliver input to a task, which is suspended while it waits", async () => {
    const { id } = await as(() => tasks.trigger("asking", {}));
    const answer = streams.input<{ yes: boolean }>({ id: "answer" });
    // Before the task asks.
    await as(() => answer.send(id, { yes: true }));
    await eventually("it waits for the second", async () =>
      as(async () => (await runs.retrieve(id)).status === "WAITING"),
    );
    await ourAuth.withAuth(settings(), () =>
      ourStreams.input<{ yes: boolean }>({ id: "answer" }).send(id, { yes: false }),
    );
    const run = await as(() => runs.poll(id, { pollIntervalMs: 100 }));
    expect(run.output).toEqual([
      { ok: true, output: { yes: true } },
      { ok: true, output: { yes: false } },
    ]);
    await expect(as(() => answer.send(id, { yes: true }))).rejects.toMatchObject({ status: 400 });
  });
});
