import { type ApiClientConfiguration, auth, runs, tasks } from "@acme/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { isAlive } from "../support/processes.ts";

let server: LocalServer;
let client: ApiClientConfiguration;
beforeEach(async () => {
  server = await startLocalServer({ executor: "process" });
  client = { baseURL: server.apiUrl, accessToken: server.secretKey };
});
afterEach(() => server.stop());

const poll = (id: string) => runs.poll(id, { pollIntervalMs: 250 });
const executing = (id: string) =>
  eventually(`${id} executes`, async () => (await runs.retrieve(id)).status === "EXECUTING");

async function attemptsOf(id: string): Promise<{ number: number; status: string }[]> {
  const response = await fetch(`${server.apiUrl}/api/v1/runs/${id}/attempts`, {
    headers: { authorization: `Bearer ${server.secretKey}` },
  });
  return ((await response.json()) as { attempts: { number: number; status: string }[] }).attempts;
}

describe("a run whose", () => {
  it("host is killed runs again on the next one", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("sleepy", { ms: 3_000 });
      await executing(id);
      const before = server.pids().host;
      server.kill("host", "SIGKILL");
      const run = await poll(id);
      expect(run.status).toBe("COMPLETED");
      expect(server.pids().host).not.toBe(before);
      expect((await attemptsOf(id)).filter(({ status }) => status === "COMPLETED")).toHaveLength(1);
    }));

  it("Worker is killed continues, and its result is recorded", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("sleepy", { ms: 3_000 });
      await executing(id);
      const before = server.pids().worker;
      server.kill("worker", "SIGKILL");
      const run = await poll(id);
      expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 1 });
      expect(server.pids().worker).not.toBe(before);
    }));

  it("process is killed is retried", () =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("sleepy", { ms: 3_000 });
      await executing(id);
      // From outside, a process that waits for a run looks like one that executes a run.
      for (const pid of server.taskPids()) process.kill(pid, "SIGKILL");
      const run = await poll(id);
      expect(run).toMatchObject({ status: "COMPLETED", attemptCount: 2 });
      expect((await attemptsOf(id)).map(({ status }) => status)).toEqual(["FAILED", "COMPLETED"]);
    }));
});

it("a task that blocks its process does not outlive a server that is killed", () =>
  auth.withAuth(client, async () => {
    await deployTaskFile(
      server,
      `import { task } from "@acme/sdk";
      export const blocks = task({ id: "blocks", run: async () => { for (;;); } });`,
    );
    const { id } = await tasks.trigger("blocks", undefined);
    await executing(id);
    const { server: main, ...parts } = server.pids();
    const all = [main, ...Object.values(parts), ...server.taskPids()];
    server.kill("server", "SIGKILL");
    await eventually("all of it is gone", () => !all.some(isAlive));
  }));

it("a server that is killed completely resumes where it left off when it is restarted", () =>
  auth.withAuth(client, async () => {
    const executes = await tasks.trigger("sleepy", { ms: 2_000 });
    await executing(executes.id);
    const waits = await tasks.trigger("hello-world", { name: "later" }, { delay: "1s" });
    const everything = [...Object.values(server.pids()), ...server.taskPids()];
    server.kill("server", "SIGKILL");
    await eventually("all of it is gone", () => !everything.some(isAlive));

    const { dataDir } = server;
    server = await startLocalServer({ executor: "process", dataDir, example: false });
    await auth.withAuth({ ...client, baseURL: server.apiUrl }, async () => {
      expect((await poll(executes.id)).status).toBe("COMPLETED");
      expect((await attemptsOf(executes.id)).filter(({ status }) => status === "COMPLETED")).toHaveLength(1);
      expect((await poll(waits.id)).output).toEqual({ message: "Hello, later!" });
    });
  }));

it("1,000 triggers while the host is killed three times: 1,000 runs complete, each once", () =>
  auth.withAuth(client, async () => {
    const ids: string[] = [];
    const wave = async (from: number, count: number): Promise<void> => {
      for (let start = from; start < from + count; start += 50) {
        const handles = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            tasks.trigger(
              "hello-world",
              { name: String(start + index) },
              { idempotencyKey: `n-${start + index}` },
            ),
          ),
        );
        ids.push(...handles.map(({ id }) => id));
      }
    };
    for (let kill = 0; kill < 3; kill++) {
      await wave(kill * 300, 300);
      const before = server.pids().host;
      server.kill("host", "SIGKILL");
      await eventually(
        "the next host takes runs",
        () => server.pids().host !== before && isAlive(server.pids().host),
      );
    }
    await wave(900, 100);
    expect(new Set(ids).size).toBe(1_000);

    const outputs = new Map<string, number>();
    for (let start = 0; start < ids.length; start += 50) {
      const finished = await Promise.all(ids.slice(start, start + 50).map(poll));
      for (const run of finished) {
        expect(run.status).toBe("COMPLETED");
        const { message } = run.output as { message: string };
        outputs.set(message, (outputs.get(message) ?? 0) + 1);
        if (run.attemptCount === 1) continue;
        const completed = (await attemptsOf(run.id)).filter(({ status }) => status === "COMPLETED");
        expect(completed).toHaveLength(1);
      }
    }
    expect(outputs.size).toBe(1_000);
    expect(Math.max(...outputs.values())).toBe(1);
  }));
