/** Live subscriptions over the real server: our own client, workerd, a host that executes tasks. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { auth, runs, tasks, wait } from "@acme/sdk";
import {
  LiveClient,
  type LiveEnvironment,
  type LiveError,
  type LiveLogLine,
  type LiveRun,
  type LiveRunsState,
} from "@acme/sdk/live";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, ROOT, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { logger, metadata, streams, task } from "@acme/sdk";
export const greet = task({
  id: "greet",
  retry: { maxAttempts: 1 },
  run: async ({ name, fail }: { name: string; fail?: boolean }) => {
    metadata.set("step", "greeting");
    if (fail) throw new TypeError("no greeting");
    return { greeting: "Hello, " + name };
  },
});
export const talk = task({
  id: "talk",
  run: async ({ lines }: { lines: number }) => {
    for (let n = 1; n <= lines; n++) {
      logger.info("line " + n, { n });
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
});
export const tell = task({
  id: "tell",
  retry: { maxAttempts: 1 },
  run: async ({ chunks }: { chunks: number }) => {
    async function* words() {
      for (let n = 0; n < chunks; n++) {
        logger.info("line " + n);
        yield { n };
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    await streams.pipe("words", words()).waitUntilComplete();
  },
});
export const nap = task({ id: "nap", run: async ({ ms }: { ms: number }) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
} });
`;

describe("live subscriptions", () => {
  let server: LocalServer;
  const clients: LiveClient[] = [];
  beforeAll(async () => {
    server = await startLocalServer({ executor: "process", example: false });
    await deployTaskFile(server, TASKS);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => server?.stop());

  const connect = (accessToken = server.secretKey): LiveClient => {
    const client = new LiveClient({ baseURL: server.apiUrl, accessToken });
    clients.push(client);
    return client;
  };
  const as = <T>(work: () => Promise<T>): Promise<T> =>
    auth.withAuth({ baseURL: server.apiUrl, accessToken: server.secretKey }, work) as Promise<T>;

  it("show the runs of a filter from trigger to end", async () => {
    const tag = `tag-${Date.now()}`;
    const states: LiveRunsState[] = [];
    connect().runs({ filter: { tags: [tag] } }, (state) => states.push(state));
    await eventually("the first state", () => states.length === 1);
    expect(states[0]).toMatchObject({ runs: [], more: false });
    const { id } = await as(() => tasks.trigger("greet", { name: "Ada" }, { tags: [tag] }));
    await eventually("it is over", () => states.at(-1)?.runs[0]?.status === "COMPLETED");
    expect(states.at(-1)?.runs).toMatchObject([
      { id, taskIdentifier: "greet", tags: [tag], isCompleted: true },
    ]);
    const positions = states.flatMap(({ runs: [run] }) => (run ? [run.position] : []));
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    // A later subscriber gets the same.
    let later: LiveRunsState | undefined;
    connect().runs({ filter: { tags: [tag] }, data: true }, (state) => {
      later = state;
    });
    await eventually("the later one's state", () => later !== undefined);
    expect(later?.runs[0]).toMatchObject({ id, data: { output: { data: '{"greeting":"Hello, Ada"}' } } });
  });

  it("show a run leave a filter by status", async () => {
    let state: LiveRunsState | undefined;
    const filter = { statuses: ["EXECUTING" as const], tasks: ["nap"] };
    connect().runs({ filter }, (next) => {
      state = next;
    });
    await eventually("the first state", () => state !== undefined);
    const { id } = await as(() => tasks.trigger("nap", { ms: 500 }));
    await eventually("it is there", () => state?.runs.some((run) => run.id === id) ?? false);
    await eventually("it is gone", () => state?.runs.length === 0);
  });

  it("show one run with all its data, and its failure", async () => {
    const { id } = await as(() => tasks.trigger("greet", { name: "Bob", fail: true }));
    let last: { run: LiveRun; final: boolean } | undefined;
    connect().run(id, (state) => {
      last = state;
    });
    await eventually("it is over", () => last?.final ?? false);
    expect(last?.run).toMatchObject({
      id,
      status: "FAILED",
      data: {
        payload: { data: '{"name":"Bob","fail":true}', dataType: "application/json" },
        error: { name: "TypeError", message: "no greeting" },
        metadata: { step: "greeting" },
      },
    });
  });

  it("deliver the lines of a log in order, each once, also to late and returning subscribers", async () => {
    const { id } = await as(() => tasks.trigger("talk", { lines: 100 }));
    const lines: LiveLogLine[] = [];
    connect().logs(id, (more) => lines.push(...more));
    await eventually("all lines", () => lines.length === 100);
    expect(lines.map(({ message }) => message)).toEqual(
      Array.from({ length: 100 }, (_, i) => `line ${i + 1}`),
    );
    expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    const rest: LiveLogLine[] = [];
    connect().logs(id, (more) => rest.push(...more), { after: 90 });
    await eventually("the rest", () => rest.length === 10);
    expect(rest[0]?.message).toBe("line 91");
  });

  it("deliver the chunks of a stream and the lines of a log once, even if the server is killed meanwhile", async () => {
    const chunks = 120;
    const upTo = (first: number) => Array.from({ length: chunks - first }, (_, i) => i + first);
    const { id } = await as(() => tasks.trigger("tell", { chunks }));
    const [all, late, slow, lines]: [number[], number[], number[], string[]] = [[], [], [], []];
    const ended: string[] = [];
    const client = connect();
    const onEnd = (name: string) => ({ onEnd: () => void ended.push(name) });
    client.stream<{ n: number }>(id, "words", (more) => void all.push(...more.map(({ chunk }) => chunk.n)), {
      ...onEnd("all"),
    });
    client.stream(id, "words", (more) => void late.push(...more.map(({ index }) => index)), {
      after: 49,
      ...onEnd("late"),
    });
    client.stream<{ n: number }>(
      id,
      "words",
      async (more) => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        slow.push(...more.map(({ chunk }) => chunk.n));
      },
      onEnd("slow"),
    );
    client.logs(id, (more) => lines.push(...more.map(({ message }) => message)));
    await eventually("some came", () => all.length > 20);
    server.kill("worker", "SIGKILL");
    await eventually("the streams have ended", () => ended.length === 3);
    expect(all).toEqual(upTo(0));
    expect(late).toEqual(upTo(50));
    expect(slow).toEqual(upTo(0));
    await eventually("all lines", () => lines.length >= chunks);
    expect(lines).toEqual(upTo(0).map((n) => `line ${n}`));
    // A subscriber after the end gets the same.
    const after: number[] = [];
    client.stream(id, "words", (more) => void after.push(...more.map(({ index }) => index)), onEnd("after"));
    await eventually("it has ended as well", () => ended.includes("after"));
    expect(after).toEqual(upTo(0));
  });

  it("count the environment's runs", async () => {
    let counts: LiveEnvironment | undefined;
    connect().environment((next) => {
      counts = next;
    });
    await eventually("the first counts", () => counts !== undefined);
    await as(() => tasks.trigger("nap", { ms: 3_000 }));
    await eventually("one executes", () => counts?.counts.EXECUTING === 1);
    await eventually("none does", () => counts !== undefined && Object.keys(counts.counts).length === 0);
  });

  it("end with an error that says why", async () => {
    const errors: LiveError[] = [];
    const onError = (error: LiveError) => errors.push(error);
    connect("tr_prod_nobody").runs({}, () => {}, { onError });
    await eventually("the key is refused", () => errors.length === 1);
    expect(errors[0]).toMatchObject({ status: 401, code: "invalid_api_key" });

    const { id } = await as(() => tasks.trigger("greet", { name: "Cy" }));
    connect(server.devSecretKey).run(id, () => {}, { onError });
    await eventually("the run isn't of that environment", () => errors.length === 2);
    expect(errors[1]).toMatchObject({ status: 404, code: "run_not_found" });

    const { publicAccessToken } = await as(() => wait.createToken());
    const reader = connect(publicAccessToken);
    reader.runs({}, () => {}, { onError });
    await eventually("the token reads no lists", () => errors.length === 3);
    reader.run(id, () => {}, { onError });
    await eventually("and no run", () => errors.length === 4);
    for (const error of errors.slice(2)) expect(error).toMatchObject({ status: 403, code: "not_allowed" });
  });

  it("can be iterated: one run, runs with a tag, a batch, and a trigger's result", async () => {
    const tag = `sdk-${Date.now()}`;
    await as(async () => {
      const handle = await tasks.trigger("greet", { name: "Eve" }, { tags: [tag] });
      let last: unknown;
      for await (const run of runs.subscribeToRun(handle)) last = run;
      expect(last).toMatchObject({
        status: "COMPLETED",
        output: { greeting: "Hello, Eve" },
        finishedAt: expect.any(Date),
      });
      for await (const run of runs.subscribeToRunsWithTag(tag, { createdAt: "1h" })) {
        expect(run).toMatchObject({ id: handle.id, payload: { name: "Eve" } });
        break;
      }
      const { batchId } = await tasks.batchTrigger("greet", [
        { payload: { name: "F" } },
        { payload: { name: "G" } },
      ]);
      const outputs = new Map<string, unknown>();
      for await (const run of runs.subscribeToBatch(batchId)) {
        if (run.isCompleted) outputs.set(run.id, run.output);
        if (outputs.size === 2) break;
      }
      expect(new Set(outputs.values())).toEqual(
        new Set([{ greeting: "Hello, F" }, { greeting: "Hello, G" }]),
      );
      expect(await tasks.triggerAndSubscribe("greet", { name: "Hal" }).unwrap()).toEqual({
        greeting: "Hello, Hal",
      });
      const controller = new AbortController();
      const napping = tasks.triggerAndSubscribe(
        "nap",
        { ms: 60_000 },
        { tags: [tag], signal: controller.signal },
      );
      const id = await eventually(
        "it naps",
        // The query side may still list an earlier run as executing: the filter has to name the task.
        async () => (await runs.list({ tag, taskIdentifier: "nap", status: "EXECUTING" })).data[0]?.id,
      );
      controller.abort(new Error("enough"));
      await expect(napping).rejects.toThrow("enough");
      expect((await runs.retrieve(id)).status).toBe("CANCELED");
      await expect(runs.subscribeToRun("run_unknown")[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        name: "LiveError",
      });
    });
  });

  it("are what `acme trigger --follow` and `acme runs tail` print", async () => {
    const env = {
      ...process.env,
      ACME_API_URL: server.apiUrl,
      ACME_SECRET_KEY: server.secretKey,
      NO_COLOR: "1",
    };
    const cli = (...args: string[]) =>
      spawn(process.execPath, [join(ROOT, "cli/src/main.ts"), ...args], { env });
    const textOf = (child: ReturnType<typeof cli>) => {
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
      child.stderr.setEncoding("utf8").on("data", (part: string) => (text += part));
      return () => text;
    };
    const tail = cli("runs", "tail", "--task", "talk", "--json");
    const tailed = textOf(tail);
    try {
      const follow = cli("trigger", "talk", '{"lines":3}', "--follow");
      const followed = textOf(follow);
      const code = await new Promise((resolve) => follow.once("exit", resolve));
      expect([code, followed()]).toEqual([
        0,
        expect.stringMatching(/info +line 1[\s\S]*line 2[\s\S]*line 3/),
      ]);
      expect(followed()).toMatch(/COMPLETED/);
      await eventually("the tail has shown a run's end", async () => {
        if (tailed().includes('"status":"COMPLETED"')) return true;
        await as(() => tasks.trigger("talk", { lines: 1 }));
        return false;
      });
    } finally {
      tail.kill();
    }
  });

  it("converge without a gap after the server was killed under 100 of them", async () => {
    const tag = `kill-${Date.now()}`;
    const trigger = (task: string, payload: object) =>
      as(() => tasks.trigger(task, payload, { tags: [tag] }));
    const [napping, talking] = await Promise.all([
      trigger("nap", { ms: 4_000 }),
      trigger("talk", { lines: 1_500 }),
    ]);
    const lists: LiveRunsState[] = [];
    const ones: { run: LiveRun; final: boolean }[] = [];
    const logs: LiveLogLine[][] = [];
    for (let index = 0; index < 25; index++) {
      const client = connect();
      for (const more of [0, 1])
        client.runs({ filter: { tags: [tag] }, data: more === 1 }, (state) => {
          lists[2 * index + more] = state;
        });
      client.run(napping.id, (state) => {
        ones[index] = state;
      });
      const lines: LiveLogLine[] = [];
      logs.push(lines);
      client.logs(talking.id, (more) => lines.push(...more));
    }
    await eventually(
      "all see the runs, and lines of the log",
      () =>
        lists.filter(({ runs }) => runs.length === 2).length === 50 &&
        ones.filter(({ run }) => run.status === "EXECUTING").length === 25 &&
        logs.every((lines) => lines.length > 0),
    );
    server.kill("worker", "SIGKILL");
    const last = await eventually("it is triggered", async () =>
      trigger("greet", { name: "Di" }).catch(() => undefined),
    );
    const ids = [napping.id, talking.id, last.id];
    await eventually("the runs are over", async () => {
      const truth = await as(() => Promise.all(ids.map((id) => runs.retrieve(id))));
      return truth.every(({ status }) => status === "COMPLETED");
    });
    const truth = await as(() => Promise.all(ids.map((id) => runs.retrieve(id))));
    const shown = ({ id, status, updatedAt }: { id: string; status: string; updatedAt: Date | string }) =>
      `${id} ${status} ${new Date(updatedAt).toISOString()}`;
    const expected = truth.map(shown).sort();
    await eventually("all lists are as the runs are", () =>
      lists.every(({ runs }) => runs.map(shown).sort().join() === expected.join()),
    );
    await eventually("all who watch one run have its end", () =>
      ones.every(({ run, final }) => final && shown(run) === shown(truth[0] as (typeof truth)[0])),
    );
    // A new subscriber reads the log from its owner.
    const whole: LiveLogLine[] = [];
    connect().logs(talking.id, (more) => whole.push(...more));
    await eventually("the whole log", () => whole.at(-1)?.message === "line 1500");
    await eventually("all have the last line", () => logs.every((lines) => lines.length >= whole.length));
    expect(whole.map(({ seq }) => seq)).toEqual(whole.map((_, index) => index + 1));
    for (const lines of logs) expect(lines).toEqual(whole);
  });
});
