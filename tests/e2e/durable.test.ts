import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiClientConfiguration, auth, idempotencyKeys, runs, tasks, wait } from "@acme/sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { type EffectsServer, startEffectsServer } from "../support/effects-server.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { eventsOf } from "../support/run-events.ts";

const TASKS = `
import { existsSync, writeFileSync } from "node:fs";
import { AbortTaskRunError, batch, idempotencyKeys, step, task, wait } from "@acme/sdk";

const effect = (url: string, name: string) =>
  step(name, async () => {
    await fetch(url + "/" + encodeURIComponent(name), { method: "POST" });
    return name;
  });

export const workflow = task({
  id: "workflow",
  run: async ({ url, name, seconds }: { url: string; name: string; seconds: number }) => {
    const random = Math.random();
    const uuid = crypto.randomUUID();
    const startedAt = Date.now();
    await effect(url, name + " before");
    await wait.for({ seconds });
    await effect(url, name + " between");
    await wait.until({ date: new Date(Date.now() + seconds * 1_000) });
    await effect(url, name + " after");
    return { random, uuid, startedAt, seen: [random, uuid, startedAt] };
  },
});

export const busy = task({
  id: "busy",
  run: async ({ url, name, ms }: { url: string; name: string; ms: number }) => {
    await effect(url, name + " before");
    const until = Date.now() + ms;
    while (Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    await effect(url, name + " after");
    return "done";
  },
});

export const approval = task({
  id: "approval",
  run: async ({ tokens, url, name }: { tokens: string[]; url: string; name: string }) => {
    const results = await Promise.all(tokens.map((id) => wait.forToken<number>(id)));
    await effect(url, name);
    return results.map((result) => (result.ok ? result.output : result.error.name));
  },
});

export const child = task({
  id: "child",
  retry: { maxAttempts: 1 },
  run: async ({ how, seconds }: { how: "returns" | "throws" | "waits"; seconds?: number }) => {
    if (how === "throws") throw new AbortTaskRunError("the child failed");
    if (how === "waits") await wait.for({ seconds: seconds ?? 3_600 });
    return "from the child";
  },
});

export const parent = task({
  id: "parent",
  queue: { name: "shared", concurrencyLimit: 1 },
  run: async (_: unknown) => {
    const one = await child.triggerAndWait({ how: "returns" }, { queue: "shared" }).unwrap();
    const many = await child.batchTriggerAndWait([
      { payload: { how: "returns" }, options: { queue: "shared" } },
      { payload: { how: "throws" }, options: { queue: "shared" } },
    ]);
    const mixed = await batch.triggerByTaskAndWait([{ task: child, payload: { how: "returns" as const } }]);
    return { one, many: many.runs.map((run) => (run.ok ? run.output : String(run.error))), mixed: mixed.runs.length };
  },
});

export const failing = task({
  id: "failing",
  retry: { maxAttempts: 1 },
  run: async () => child.triggerAndWait({ how: "throws" }).unwrap(),
});

export const blocked = task({ id: "blocked", queue: { concurrencyLimit: 0 }, run: async () => "never" });
export const patient = task({
  id: "patient",
  run: async () => {
    const result = await blocked.triggerAndWait(undefined, { ttl: "2s" });
    return result.ok ? "?" : String(result.error);
  },
});

export const family = task({
  id: "family",
  run: async ({ batched }: { batched: boolean }) => {
    if (batched) return child.batchTriggerAndWait([{ payload: { how: "waits" } }, { payload: { how: "waits" } }]);
    return child.triggerAndWait({ how: "waits" });
  },
});

export const itself = task({
  id: "itself",
  retry: { maxAttempts: 1 },
  run: async ({ name }: { name: string }): Promise<unknown> => {
    const idempotencyKey = await idempotencyKeys.create(name, { scope: "global" });
    return itself.triggerAndWait({ name }, { idempotencyKey }).unwrap();
  },
});

export const unordered = task({
  id: "unordered",
  retry: { maxAttempts: 1 },
  run: async ({ url, name, file }: { url: string; name: string; file: string }) => {
    // Its behavior depends on a file, which is not recorded.
    const times = existsSync(file) ? "second" : "first";
    writeFileSync(file, "");
    await effect(url, name + " " + times);
    await wait.for({ seconds: 2 });
    await effect(url, name + " end");
  },
});
`;

let server: LocalServer;
let effects: EffectsServer;
let client: ApiClientConfiguration;

beforeAll(async () => {
  server = await startLocalServer({ executor: "process", example: false });
  client = { baseURL: server.apiUrl, accessToken: server.secretKey };
  effects = await startEffectsServer();
  await deployTaskFile(server, TASKS, { suspendAfter: 500 });
});
afterAll(async () => {
  effects?.close();
  await server?.stop();
});
let name = "";
let count = 0;
beforeEach(() => {
  count += 1;
  name = `run ${count}`;
});

const poll = (id: string) => runs.poll(id, { pollIntervalMs: 100 });
const status = (id: string, expected: string) =>
  eventually(`${id} is ${expected}`, async () => (await runs.retrieve(id)).status === expected);
const effectsOf = (prefix: string): Record<string, number> =>
  Object.fromEntries(Object.entries(effects.counts()).filter(([key]) => key.startsWith(`${prefix} `)));
const once = { before: 1, between: 1, after: 1 };
const named = (prefix: string, counts: Record<string, number>) =>
  Object.fromEntries(
    Object.entries(counts)
      .map(([key, value]) => [`${prefix} ${key}`, value] as const)
      .sort(),
  );
const api = (method: string, path: string, body?: unknown) =>
  fetch(`${server.apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${server.secretKey}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

describe("a run that waits", () => {
  it("holds nothing meanwhile, resumes where it left off, and repeats nothing", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("workflow", { url: effects.url, name, seconds: 2 });
      await status(id, "WAITING");
      expect(effectsOf(name)).toEqual(named(name, { before: 1 }));
      const run = await poll(id);
      expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 1 });
      const output = run.output as { random: number; uuid: string; startedAt: number; seen: unknown[] };
      expect(output.seen).toEqual([output.random, output.uuid, output.startedAt]);
      expect(effectsOf(name)).toEqual(named(name, once));
      const types = (await eventsOf(server, id)).map(({ type }) => type);
      expect(types.filter((type) => type === "suspended")).toHaveLength(2);
      expect(types.filter((type) => type === "resumed")).toHaveLength(2);
      expect(types.filter((type) => type === "operation.completed")).toHaveLength(5);
    }));

  it("resumes from its journal on a new host after its own was killed", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("workflow", { url: effects.url, name, seconds: 3 });
      await status(id, "WAITING");
      server.kill("host", "SIGKILL");
      const run = await poll(id);
      expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 1 });
      expect(effectsOf(name)).toEqual(named(name, once));
      expect((await eventsOf(server, id)).find(({ type }) => type === "resumed")?.message).toMatch(
        /replayed/,
      );
    }));

  it("whose host is killed in the middle resumes from its journal, and repeats no step", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("busy", { url: effects.url, name, ms: 3_000 });
      await eventually("its first step is done", () => effects.counts()[`${name} before`] === 1);
      await eventually("its first step is known", async () =>
        (await eventsOf(server, id)).some(({ type }) => type === "operation.completed"),
      );
      server.kill("host", "SIGKILL");
      expect(await poll(id)).toMatchObject({ status: "COMPLETED", attemptCount: 1 });
      expect(effectsOf(name)).toEqual(named(name, { before: 1, after: 1 }));
    }));

  // On a busy machine 500 runs, each with a suspension, take their time.
  it("is one of 500 whose Worker is killed: all resume, each once", { timeout: 240_000 }, () =>
    auth.withAuth(client, async () => {
      const payloads = Array.from({ length: 500 }, (_, n) => ({
        payload: { url: effects.url, name: `${name}-${n}`, seconds: 6 },
      }));
      const handle = await tasks.batchTrigger("workflow", payloads);
      await eventually("some wait", async () => {
        const page = await runs.list({ status: "WAITING", limit: 10 });
        return page.data.length === 10;
      });
      server.kill("worker", "SIGKILL");
      const ids = await eventually(
        "the batch is complete",
        async () => {
          const response = await api("GET", `/api/v2/batches/${handle.batchId}`).catch(() => null);
          if (!response?.ok) return false;
          const batch = (await response.json()) as { status: string; runs: string[] };
          return batch.status === "COMPLETED" && batch.runs;
        },
        180_000,
      );
      expect(ids).toHaveLength(500);
      const counts = Object.entries(effects.counts()).filter(([key]) => key.startsWith(`${name}-`));
      expect(counts).toHaveLength(1_500);
      expect(counts.filter(([, value]) => value !== 1)).toEqual([]);
    }),
  );
});

describe("tokens", () => {
  it("20 that are completed at the same moment resume a run once", () =>
    auth.withAuth(client, async () => {
      const tokens = await Promise.all(Array.from({ length: 20 }, () => wait.createToken()));
      const ids = tokens.map((token) => token.id);
      const { id } = await tasks.trigger("approval", { tokens: ids, url: effects.url, name });
      await status(id, "WAITING");
      await Promise.all(ids.map((token, n) => wait.completeToken(token, n)));
      const run = await poll(id);
      expect(run.output).toEqual(ids.map((_, n) => n));
      expect(effects.counts()[name]).toBe(1);
      const resumed = (await eventsOf(server, id)).filter(({ type }) => type === "resumed");
      expect(resumed.length).toBeGreaterThanOrEqual(1);
    }));

  it("one completed before it is waited for resumes at once; one that times out gives its error", () =>
    auth.withAuth(client, async () => {
      const done = await wait.createToken();
      await wait.completeToken(done, 42);
      const late = await wait.createToken({ timeout: "1s" });
      const { id } = await tasks.trigger("approval", {
        tokens: [done.id, late.id],
        url: effects.url,
        name,
      });
      expect((await poll(id)).output).toEqual([42, "WaitpointTimeoutError"]);
    }));

  it("a callback completes one with its body, without a key", () =>
    auth.withAuth(client, async () => {
      const token = await wait.createToken({ timeout: "1h" });
      const { id } = await tasks.trigger("approval", { tokens: [token.id], url: effects.url, name });
      await status(id, "WAITING");
      const response = await fetch(token.url, {
        method: "POST",
        body: JSON.stringify({ from: "a webhook" }),
      });
      expect(response.status).toBe(200);
      expect((await poll(id)).output).toEqual([{ from: "a webhook" }]);
    }));
});

describe("parents and children", () => {
  it("both end in one queue with a limit of 1, and a child's failure is a result", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("parent", {});
      const run = await poll(id);
      expect(run).toMatchObject({
        status: "COMPLETED",
        output: {
          one: "from the child",
          many: ["from the child", expect.stringContaining("the child failed")],
          mixed: 1,
        },
      });
    }));

  it("a child's failure reaches the parent as a typed error", () =>
    auth.withAuth(client, async () => {
      const run = await poll((await tasks.trigger("failing", {})).id);
      expect(run.status).toBe("FAILED");
      expect(run.error).toMatchObject({ name: "SubtaskUnwrapError" });
      expect(run.error?.message).toMatch(/child/);
    }));

  it("a child that expires resumes its parent with an error", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("patient", {});
      await status(id, "WAITING");
      expect((await poll(id)).output).toMatch(/ttl/);
    }));

  it.each([false, true])("are canceled with the parent that waits for them (batch: %s)", (batched) =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("family", { batched });
      await status(id, "WAITING");
      const children = await eventually("its children wait", async () => {
        const related = (await runs.retrieve(id)).relatedRuns?.children ?? [];
        return (
          related.length === (batched ? 2 : 1) && related.every((c) => c.status === "WAITING") && related
        );
      });
      await runs.cancel(id);
      for (const one of children) await status(one.id, "CANCELED");
      expect((await runs.retrieve(id)).status).toBe("CANCELED");
    }),
  );

  it("continue without it on request", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("family", { batched: false });
      await status(id, "WAITING");
      const [one] = await eventually("its child waits", async () => {
        const related = (await runs.retrieve(id)).relatedRuns?.children ?? [];
        return related[0]?.status === "WAITING" && related;
      });
      await runs.cancel(id, { children: false });
      expect((await runs.retrieve(id)).status).toBe("CANCELED");
      expect((await runs.retrieve(one?.id ?? "")).status).toBe("WAITING");
      await runs.cancel(one?.id ?? "");
    }));

  it("a run that would wait for itself fails with an error that says so", () =>
    auth.withAuth(client, async () => {
      const idempotencyKey = await idempotencyKeys.create(name, { scope: "global" });
      const { id } = await tasks.trigger("itself", { name }, { idempotencyKey });
      const run = await poll(id);
      expect(run.status).toBe("FAILED");
      expect(run.error?.message).toMatch(/wait for itself/);
    }));
});

it("code that does something else in a replay fails, and the error names both operations and the line", () =>
  auth.withAuth(client, async () => {
    // Tasks write to it, as another user where this one is root.
    const file = join(tmpdir(), `acme-was-here-${process.pid}`);
    onTestFinished(() => rmSync(file, { force: true }));
    const { id } = await tasks.trigger("unordered", { url: effects.url, name, file });
    const run = await poll(id);
    expect(run.status).toBe("FAILED");
    expect(run.error?.message).toContain(`"${name} first"`);
    expect(run.error?.message).toContain(`"${name} second"`);
    expect(run.error?.message).toMatch(/tasks\.ts:\d+/);
    expect(effectsOf(name)).toEqual(named(name, { first: 1 }));
  }));
